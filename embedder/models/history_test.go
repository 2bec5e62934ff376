package models

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

func TestParseHistory(t *testing.T) {
	const text = "epoch,train_loss,val_loss,top1,top5,seconds\n1,2.5,2,0.25,0.75,10\n2,1.5,1,0.5,1,11\n"
	h, err := ParseHistory("h.csv", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Column("val_loss"); !slices.Equal(got, []float64{2, 1}) || h.Column("none") != nil {
		t.Errorf("%v, %v", got, h.Column("none"))
	}
	for _, test := range []struct{ text, want string }{
		{"", "no epoch"},
		{"epoch,train_loss,val_loss,top1,top5\n", "no epoch"},
		{strings.Replace(text, "val_loss", "loss", 1), `no column "val_loss"; known are epoch, train_loss, loss`},
		{strings.Replace(text, "0.5", "half", 1), `line 3: top1 is "half"`},
		{strings.Replace(text, "0.5", "NaN", 1), `line 3: top1 is "NaN"`},
		{strings.Replace(text, ",11", "", 1), "line 3"},
	} {
		if _, err := ParseHistory("h.csv", []byte(test.text)); err == nil || !strings.Contains(err.Error(), "h.csv: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v; want %q", err, test.want)
		}
	}
}

func TestHistoryBesideCard(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "m.onnx", "\x08model")
	c, err := Open(write(t, dir, "m.json", card()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.History(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	write(t, dir, HistoryFile, "epoch,train_loss,val_loss,top1,top5\n1,2,3,0.5,1\n")
	if h, err := c.History(); err != nil || len(h.Rows) != 1 {
		t.Errorf("%+v, %v", h, err)
	}
	shipped, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	if h, err := shipped.History(); err != nil || len(h.Rows) == 0 {
		t.Errorf("of the model that ships: %+v, %v", h, err)
	}
}
