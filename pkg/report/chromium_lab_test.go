//go:build lab

package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// wire is a proxy that lets nothing through and remembers what a browser asked
// for.
type wire struct {
	*httptest.Server
	mutex sync.Mutex
	asked []string
}

// ofTheBrowser fits hosts that Chromium talks to of its own accord.
var ofTheBrowser = regexp.MustCompile(`(^|\.)(google|googleapis|gstatic|gvt1)\.com(:\d+)?$`)

func newWire(t *testing.T) *wire {
	w := &wire{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		w.mutex.Lock()
		defer w.mutex.Unlock()
		if !ofTheBrowser.MatchString(request.Host) {
			w.asked = append(w.asked, request.Host)
		}
		answer.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(w.Close)
	return w
}

// browse runs a headless Chromium on a page, and gives what it printed and
// which hosts the page asked for.
func browse(t *testing.T, scheme, url string, arguments ...string) (stdout string, asked []string) {
	t.Helper()
	wire := newWire(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	number := map[string]string{"dark": "0", "light": "1"}[scheme]
	command := exec.CommandContext(ctx, "chromium", append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--user-data-dir=" + t.TempDir(),
		"--proxy-server=" + wire.URL, "--blink-settings=preferredColorScheme=" + number, "--virtual-time-budget=3000",
	}, append(arguments, url)...)...)
	command.WaitDelay = 5 * time.Second
	var out, stderr bytes.Buffer
	command.Stdout, command.Stderr = &out, &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, stderr.String())
	}
	wire.mutex.Lock()
	defer wire.mutex.Unlock()
	return out.String(), wire.asked
}

func TestBrowse_SeesWhatAPageAsksFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leak.html")
	if err := os.WriteFile(path, []byte(`<img src="http://leak.example/x.png">`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, asked := browse(t, "light", "file://"+path, "--dump-dom"); len(asked) == 0 || asked[0] != "leak.example" {
		t.Errorf("the page asked for %q", asked)
	}
}

// frame is one report at one width.
type frame struct {
	Name  string
	Width int
	HTML  string
}

// seen is what the browser says of a frame.
type seen struct {
	Name                     string
	Width                    int
	ScrollWidth, ClientWidth int
	// Wider are elements that stick out at the right.
	Wider []string
	// Requests are what the page loaded.
	Requests []string
	Dark     bool
	// MaxWidth is the body's, none where the style sheet was refused.
	MaxWidth string
	// Small are links with too little height to be hit by a thumb.
	Small []string
}

// harness shows reports in frames and writes down what becomes of them. A
// frame of srcdoc has the origin of the page around it, which may look inside.
const harness = `<!doctype html><meta charset="utf-8"><body style="margin:0"><script>
const frames = %s;
const out = [];
for (const f of frames) {
  const frame = document.createElement("iframe");
  frame.style = "border:0;height:844px;width:" + f.Width + "px";
  frame.onload = () => {
    const doc = frame.contentDocument, win = frame.contentWindow, root = doc.documentElement;
    const inside = e => { for (let p = e.parentElement; p; p = p.parentElement) if (p.classList.contains("scroll")) return true; return false; };
    out.push({Name: f.Name, Width: f.Width, ScrollWidth: root.scrollWidth, ClientWidth: root.clientWidth,
      Wider: [...doc.body.querySelectorAll("*")].filter(e => !inside(e) && e.getBoundingClientRect().right > f.Width + 1).map(e => e.outerHTML.slice(0, 120)),
      Requests: win.performance.getEntriesByType("resource").map(e => e.name),
      Dark: win.matchMedia("(prefers-color-scheme: dark)").matches,
      MaxWidth: win.getComputedStyle(doc.body).maxWidth,
      Small: [...doc.querySelectorAll("nav a")].filter(e => e.getBoundingClientRect().height < 24).map(e => e.textContent)});
    if (out.length === frames.length) {
      const result = document.createElement("pre");
      result.id = "result"; result.textContent = JSON.stringify(out);
      document.body.append(result);
    }
  };
  frame.srcdoc = f.HTML;
  document.body.append(frame);
}
</script>`

func writeHarness(t *testing.T, frames []frame) string {
	t.Helper()
	text, err := json.Marshal(frames) // which escapes < for the script
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "harness.html")
	if err := os.WriteFile(path, fmt.Appendf(nil, harness, text), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

var resultPattern = regexp.MustCompile(`(?s)<pre id="result">(.*?)</pre>`)

func TestHTML_FitsPhoneAndDesk(t *testing.T) {
	var frames []frame
	for name, account := range accounts() {
		for _, width := range []int{320, 390, 1280} {
			frames = append(frames, frame{name, width, render(t, account)})
		}
	}
	for _, scheme := range []string{"light", "dark"} {
		t.Run(scheme, func(t *testing.T) {
			dom, asked := browse(t, scheme, writeHarness(t, frames), "--dump-dom")
			if len(asked) > 0 {
				t.Errorf("the browser asked for %q", asked)
			}
			match := resultPattern.FindStringSubmatch(dom)
			if match == nil {
				t.Fatal("the harness did not come to its end")
			}
			var results []seen
			if err := json.Unmarshal([]byte(html.UnescapeString(match[1])), &results); err != nil {
				t.Fatal(err)
			}
			if len(results) != len(frames) {
				t.Errorf("%d of %d frames", len(results), len(frames))
			}
			for _, got := range results {
				if got.ScrollWidth > got.ClientWidth || len(got.Wider) > 0 {
					t.Errorf("%s at %d px scrolls sideways: %d > %d, by %q", got.Name, got.Width, got.ScrollWidth, got.ClientWidth, got.Wider)
				}
				if len(got.Requests) > 0 || got.Dark != (scheme == "dark") || got.MaxWidth == "none" || len(got.Small) > 0 {
					t.Errorf("got %+v", got)
				}
			}
		})
	}
}

// TestHTML_Screenshots draws the report as on a phone and on a desk, for people
// to look at; PROVISION_SCREENSHOTS names a folder that keeps the pictures.
func TestHTML_Screenshots(t *testing.T) {
	folder := os.Getenv("PROVISION_SCREENSHOTS")
	if folder == "" {
		folder = t.TempDir()
	}
	runs := accounts()
	for _, name := range []string{"failed", "1000", "converged"} {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int{390, 1280} {
				t.Run(fmt.Sprintf("%s-%s-%d", name, scheme, width), func(t *testing.T) {
					page := strings.Replace(harness, "height:844px", "height:4200px", 1)
					text, _ := json.Marshal([]frame{{name, width, render(t, runs[name])}})
					source, picture := filepath.Join(t.TempDir(), "page.html"), filepath.Join(folder, fmt.Sprintf("%s-%s-%d.png", name, scheme, width))
					if err := os.WriteFile(source, fmt.Appendf(nil, page, text), 0o600); err != nil {
						t.Fatal(err)
					}
					browse(t, scheme, "file://"+source, fmt.Sprintf("--window-size=%d,4200", max(width, 500)), "--screenshot="+picture)
					checkPicture(t, picture, scheme)
				})
			}
		}
	}
}

// checkPicture tells a page from a blank one, and light from dark.
func checkPicture(t *testing.T, path, scheme string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	shades := map[uint32]int{}
	for y := 0; y < picture.Bounds().Dy(); y += 2 {
		for x := 0; x < 390; x += 2 {
			r, g, b, _ := picture.At(x, y).RGBA()
			shades[(r+g+b)/3>>8]++
		}
	}
	background, most := uint32(0), 0
	for shade, n := range shades {
		if n > most {
			background, most = shade, n
		}
	}
	if len(shades) < 40 || (background > 128) != (scheme == "light") {
		t.Errorf("%d shades, background %d", len(shades), background)
	}
}
