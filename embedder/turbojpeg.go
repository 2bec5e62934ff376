//go:build cgo && turbojpeg

package embedder

/*
#cgo LDFLAGS: -lturbojpeg
#include <stdlib.h>
#include <turbojpeg.h>

// Since 2.1, libjpeg-turbo can refuse a picture of more than 500 scans. Its size is bounded before (package
// catalog); this bounds what so many scans cost beside their pixels.
#ifndef TJFLAG_LIMITSCANS
#define TJFLAG_LIMITSCANS 0
#endif

// Planes are passed one by one: Go memory that is handed to C must not hold pointers to Go memory.
static int annbench_planes(tjhandle h, const unsigned char *data, unsigned long size,
                           unsigned char *y, unsigned char *cb, unsigned char *cr,
                           int ystride, int cstride, int width, int height) {
  unsigned char *planes[3] = {y, cb, cr};
  int strides[3] = {ystride, cstride, cstride};
  return tjDecompressToYUVPlanes(h, data, size, planes, width, strides, height, TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS);
}
*/
import "C"

import (
	"errors"
	"image"
	"runtime"
	"sync"
	"unsafe"

	"annbench/embedder/catalog"
)

// UseTurboJPEG has JPEG files decoded by libturbojpeg, which this build was made with.
func UseTurboJPEG() { catalog.UseJPEG("libturbojpeg", decodeTurbo) }

// errNotTurbo is of files that are left to the standard decoder, which either reads them or says what is
// wrong with them in the words of every build.
var errNotTurbo = errors.New("not for libturbojpeg")

// turboHandle is a decompressor, freed with the value that holds it.
type turboHandle struct{ h C.tjhandle }

var turboHandles = sync.Pool{New: func() any {
	t := &turboHandle{C.tjInitDecompress()}
	runtime.AddCleanup(t, func(h C.tjhandle) {
		if h != nil {
			C.tjDestroy(h)
		}
	}, t.h)
	return t
}}

// turboRatios are the subsamplings by their numbers.
var turboRatios = map[C.int]image.YCbCrSubsampleRatio{
	C.TJSAMP_444: image.YCbCrSubsampleRatio444,
	C.TJSAMP_422: image.YCbCrSubsampleRatio422,
	C.TJSAMP_420: image.YCbCrSubsampleRatio420,
	C.TJSAMP_440: image.YCbCrSubsampleRatio440,
	C.TJSAMP_411: image.YCbCrSubsampleRatio411,
}

// decodeTurbo decodes a JPEG in YCbCr or grey into its planes as they are stored. What is anything else, or
// damaged as far as libturbojpeg notices (it takes some codes that are too long for zeros), is errNotTurbo. The
// size has been checked by the caller.
func decodeTurbo(data []byte) (image.Image, error) {
	if len(data) == 0 {
		return nil, errNotTurbo
	}
	t := turboHandles.Get().(*turboHandle)
	defer turboHandles.Put(t)
	if t.h == nil {
		return nil, errNotTurbo
	}
	at, size := (*C.uchar)(unsafe.Pointer(&data[0])), C.ulong(len(data))
	var width, height, subsampling, colours C.int
	if C.tjDecompressHeader3(t.h, at, size, &width, &height, &subsampling, &colours) != 0 || width <= 0 || height <= 0 {
		return nil, errNotTurbo
	}
	plane := func(component C.int) (pixels []byte, stride int) {
		stride = int(C.tjPlaneWidth(component, width, subsampling))
		rows := int(C.tjPlaneHeight(component, height, subsampling))
		if stride <= 0 || rows <= 0 {
			return nil, 0
		}
		return make([]byte, stride*rows), stride
	}
	rect := image.Rect(0, 0, int(width), int(height))
	y, ystride := plane(0)
	if y == nil {
		return nil, errNotTurbo
	}
	if subsampling == C.TJSAMP_GRAY {
		if C.annbench_planes(t.h, at, size, (*C.uchar)(&y[0]), nil, nil, C.int(ystride), 0, width, height) != 0 {
			return nil, errNotTurbo
		}
		return &image.Gray{Pix: y, Stride: ystride, Rect: rect}, nil
	}
	ratio, known := turboRatios[subsampling]
	if !known || colours != C.TJCS_YCbCr {
		return nil, errNotTurbo
	}
	cb, cstride := plane(1)
	cr, _ := plane(2)
	if cb == nil || cr == nil {
		return nil, errNotTurbo
	}
	if C.annbench_planes(t.h, at, size, (*C.uchar)(&y[0]), (*C.uchar)(&cb[0]), (*C.uchar)(&cr[0]), C.int(ystride), C.int(cstride), width, height) != 0 {
		return nil, errNotTurbo
	}
	return &image.YCbCr{Y: y, Cb: cb, Cr: cr, YStride: ystride, CStride: cstride, SubsampleRatio: ratio, Rect: rect}, nil
}
