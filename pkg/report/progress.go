package report

import (
	"io"
	"sync"
	"time"

	"provision/pkg/converge"
)

// redrawEvery is how often the live view is drawn.
const redrawEvery = 100 * time.Millisecond

// ProgressOptions are the surroundings of a Progress; the zero value takes the
// real ones.
type ProgressOptions struct {
	// Size looks the terminal up, in columns and rows, each time it is drawn.
	Size func() (width, height int)
	// Now is the clock.
	Now func() time.Time
	// Resources asks for a line for each resource that is begun, where the style
	// is not live.
	Resources bool
}

// Progress shows how far a run came, from the events it observes: on a terminal
// a view that is redrawn, one line per host; elsewhere a line per host and
// stage once it has ended. It is safe for concurrent use.
type Progress struct {
	w       io.Writer
	style   Style
	options ProgressOptions

	mutex  sync.Mutex // guards what follows
	state  *progressState
	screen screen

	stop chan struct{}
	done sync.WaitGroup
}

// NewProgress shows the progress of a plan on a writer.
func NewProgress(w io.Writer, style Style, plan *converge.Plan) *Progress {
	return NewProgressWith(w, style, plan, ProgressOptions{})
}

// NewProgressWith is NewProgress in chosen surroundings.
func NewProgressWith(w io.Writer, style Style, plan *converge.Plan, options ProgressOptions) *Progress {
	if options.Size == nil {
		options.Size = func() (int, int) { return terminalSize(w) }
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Progress{w: w, style: style, options: options, state: newProgressState(plan, options.Now())}
}

// Start begins to draw, where the style is live.
func (p *Progress) Start() {
	if !p.style.Live || p.stop != nil {
		return
	}
	p.stop = make(chan struct{})
	p.draw()
	p.done.Go(func() {
		ticker := time.NewTicker(redrawEvery)
		defer ticker.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-ticker.C:
				p.draw()
			}
		}
	})
}

// Stop ends drawing, takes the view away and gives the cursor back. It may be
// called again.
func (p *Progress) Stop() {
	if p.stop == nil {
		return
	}
	close(p.stop)
	p.done.Wait()
	p.stop = nil
	p.mutex.Lock()
	defer p.mutex.Unlock()
	width, _ := p.options.Size()
	_, _ = p.w.Write(p.screen.clear(width))
}

// Event takes note of an event. Where the style is not live it writes the line
// of a stage that ended.
func (p *Progress) Event(event converge.Event) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	host := p.state.host(event.Host)
	host.note(event, p.options.Now())
	if p.style.Live {
		return
	}
	switch event.Kind {
	case converge.EventStageDone, converge.EventStageFailed:
		writeStageEnd(p.w, p.style, p.state, host, event)
	case converge.EventResourceBegun, converge.EventUploadStarted:
		if p.options.Resources {
			writeResourceBegun(p.w, p.style, p.state, event)
		}
	case converge.EventStageWaiting, converge.EventStageStarted, converge.EventUploadMoved:
	}
}

// draw replaces the view by the present state.
func (p *Progress) draw() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	width, height := p.options.Size()
	if width <= 0 || height <= 0 {
		width, height = chartWidth, 24
	}
	view := liveView{width: width, height: height, now: p.options.Now(), colour: p.style.Colour}
	_, _ = p.w.Write(p.screen.replace(view.lines(p.state), width, p.style.Colour))
}
