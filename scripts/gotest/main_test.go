package main

import (
	"strings"
	"testing"
)

// The lines are go test -json's own, of three packages: one that skips, one that fails and
// then crashes, one that does not build.
const stream = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:7: no photographs: set ANNBENCH_DATA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA","Elapsed":0}
{"Action":"output","Package":"p","Test":"TestB","Output":"    a_test.go:8: looking\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    a_test.go:9: no photographs: set ANNBENCH_DATA\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"        in any folder\n"}
{"Action":"skip","Package":"p","Test":"TestB","Elapsed":0}
{"Action":"output","Package":"p","Test":"TestS/disk","Output":"        testscript.go:380: no small disk\n"}
{"Action":"output","Package":"p","Test":"TestS/disk","Output":"        testscript.go:609: WORK=$WORK\n"}
{"Action":"skip","Package":"p","Test":"TestS/disk","Elapsed":0}
{"Action":"output","Package":"p","Test":"TestC","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestC","Elapsed":0}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.002s\n"}
{"Action":"pass","Package":"p","Elapsed":0.002}
{"ImportPath":"q","Action":"build-output","Output":"q/q.go:3: undefined: x\n"}
{"Action":"output","Package":"q","Test":"TestD","Output":"    q_test.go:8: got 1, want 2\n"}
{"Action":"fail","Package":"q","Test":"TestD","Elapsed":0}
{"Action":"output","Package":"q","Test":"TestE","Output":"panic: out of range\n"}
{"Action":"output","Package":"q","Output":"FAIL\tq\t0.01s\n"}
{"Action":"fail","Package":"q","Elapsed":0.01}
not an event
{"Action":"output","Package":"r","Output":"FAIL\tr [build failed]\n"}
{"Action":"fail","Package":"r","Elapsed":0}
`

const want = `ok  	p	0.002s
q/q.go:3: undefined: x
    q_test.go:8: got 1, want 2
FAIL	q	0.01s
panic: out of range
not an event
FAIL	r [build failed]
left out:
  p: no photographs: set ANNBENCH_DATA (TestA, TestB)
  p: no small disk (TestS/disk)
1 passed, 2 failed, 3 skipped
`

func TestFollow(t *testing.T) {
	var w strings.Builder
	res, err := follow(&w, strings.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	res.print(&w)
	if w.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", &w, want)
	}
}
