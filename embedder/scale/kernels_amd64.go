package scale

import "github.com/klauspost/cpuid/v2"

// haveAVX2 is false in tests of the portable kernels.
var haveAVX2 = cpuid.CPU.Supports(cpuid.AVX2)

// downBlock components are summed at a time by downAVX2, and the last block may overlap the one before.
const downBlock = 16

// downAVX2 is downGo for n ≥ downBlock components and an even number of lines.
//
//go:noescape
func downAVX2(to *int16, pix *uint8, stride, n int, weights *int16, lines int)

// acrossAVX2 is acrossGo for 4 times groups pixels.
//
//go:noescape
func acrossAVX2(to *int32, line *int16, first *int32, weights *int16, n, groups int)

// coloursAVX2 is coloursGo for 8 times groups pixels.
//
//go:noescape
func coloursAVX2(red, green, blue *uint8, luma, cbs, crs *int32, groups int)

func down(to []int16, pix []uint8, stride int, weights []int16) {
	if !haveAVX2 || len(to) < downBlock || len(weights)%2 != 0 || len(weights) == 0 {
		downGo(to, pix, stride, weights)
		return
	}
	_ = pix[(len(weights)-1)*stride:][:len(to)] // all that is read is there
	downAVX2(&to[0], &pix[0], stride, len(to), &weights[0], len(weights))
}

func across(to []int32, line []int16, first []int32, weights []int16, n int) {
	groups := len(to) / 4
	if !haveAVX2 {
		groups = 0
	}
	if groups > 0 {
		acrossAVX2(&to[0], &line[0], &first[0], &weights[0], n, groups)
	}
	done := 4 * groups
	acrossGo(to[done:], line, first[done:], weights[done*n:], n)
}

func colours(r, g, b []uint8, luma, cbs, crs []int32) {
	groups := len(luma) / 8
	if !haveAVX2 {
		groups = 0
	}
	if groups > 0 {
		coloursAVX2(&r[0], &g[0], &b[0], &luma[0], &cbs[0], &crs[0], groups)
	}
	done := 8 * groups
	coloursGo(r[done:], g[done:], b[done:], luma[done:], cbs[done:], crs[done:])
}
