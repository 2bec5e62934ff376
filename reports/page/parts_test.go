package page

import (
	"testing"

	"annbench/bench/record"
)

func TestEmbeddingLimit(t *testing.T) {
	e := &record.Embedding{Images: 990, Skipped: make([]record.Failure, 10), Seconds: 10, Decode: 6, Prepare: 2, Infer: 9, Write: 0.5, Workers: 2, Runs: 1, Limit: "model"}
	// 8 of 20 seconds of two workers, 1,000 images in 4 seconds each; 1,000 in 9 s; 1,000 in half a second.
	want := "The limit of the embedding was the model, busy for 90 % of the time, at 111 images a second. " +
		"Decoding and resizing was busy for 40 % of the time and could do 250 a second, writing the vectors was busy for 5.0 % of the time and could do 2,000 a second."
	if got := embeddingLimit(e); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	e.Limit = ""
	if got := embeddingLimit(e); got != "" {
		t.Errorf("of a record that does not tell: %s", got)
	}
}
