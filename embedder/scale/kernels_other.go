//go:build !amd64

package scale

func down(to []int16, pix []uint8, stride int, weights []int16) { downGo(to, pix, stride, weights) }

func across(to []int32, line []int16, first []int32, weights []int16, n int) {
	acrossGo(to, line, first, weights, n)
}

func colours(r, g, b []uint8, luma, cbs, crs []int32) { coloursGo(r, g, b, luma, cbs, crs) }
