package debian

import "testing"

func TestMissing_UnknownPackageIsAnError(t *testing.T) {
	if _, err := Missing([]string{"no-probe-for-this"}); err == nil {
		t.Error("no error")
	}
}

func TestMissing_NothingNeededNothingMissing(t *testing.T) {
	if got, err := Missing(nil); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}
