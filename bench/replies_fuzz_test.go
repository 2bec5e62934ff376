package bench

import (
	"bytes"
	"testing"
)

// FuzzReplies gives the reader of a worker's replies what no worker should write: it ends with what it was
// told, or with the beginning of what is no reply.
func FuzzReplies(f *testing.F) {
	f.Add([]byte(`{"progress":0.5}` + "\n" + `{"cell":0,"values":{"recall":0.9},"by_label":{"recall":{"dress":1}}}` + "\n" + `{"done":true}` + "\n"))
	f.Add([]byte(`{"ready":[0.1,0.2],"waits":true}` + "\n" + `{"wall":1e-3}` + "\n" + `{"error":"no","disk":true}` + "\n"))
	f.Add([]byte("Segmentation fault\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		last, garbage := readReplies(bytes.NewReader(b), func(reply) { n++ })
		if len(garbage) > 80 {
			t.Errorf("%d bytes of what is no reply", len(garbage))
		}
		if garbage != "" && (last.Done || last.Error != "") {
			t.Errorf("what is no reply counts as one: %+v", last)
		}
		if n > bytes.Count(b, []byte("\n"))+1 {
			t.Errorf("%d replies", n)
		}
	})
}
