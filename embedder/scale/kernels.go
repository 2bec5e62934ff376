package scale

// acrossUnit is what the number of taps across a line is a multiple of: the components in a register.
const acrossUnit = 8

const (
	downShift   = weightBits - lineBits
	acrossShift = weightBits + lineBits - outBits
)

// downGo sums lines of len(to) components, from the beginning of pix on, stride apart, as many as there are
// weights, into to.
func downGo(to []int16, pix []uint8, stride int, weights []int16) {
	var sums [256]int32 // stays in the first-level cache
	for begin := 0; begin < len(to); begin += len(sums) {
		part := to[begin:min(begin+len(sums), len(to))]
		acc := sums[:len(part)]
		clear(acc)
		at := func(i int) []uint8 { return pix[i*stride+begin:][:len(acc)] }
		i := 0
		for ; i+4 <= len(weights); i += 4 {
			a, b, c, d := at(i), at(i+1), at(i+2), at(i+3)
			wa, wb, wc, wd := int32(weights[i]), int32(weights[i+1]), int32(weights[i+2]), int32(weights[i+3])
			for k := range acc {
				acc[k] += int32(a[k])*wa + int32(b[k])*wb + int32(c[k])*wc + int32(d[k])*wd
			}
		}
		for ; i < len(weights); i++ {
			a, wa := at(i), int32(weights[i])
			for k := range acc {
				acc[k] += int32(a[k]) * wa
			}
		}
		for k, v := range acc {
			part[k] = int16((v + 1<<(downShift-1)) >> downShift)
		}
	}
}

// sumAcross scales a line to len(to) pixels.
func sumAcross(to []int32, line []int16, t *taps) {
	across(to, line, t.first[:len(to)], t.weights, t.n)
}

// acrossGo is sumAcross with the parts of the taps by themselves, for len(to) of them.
func acrossGo(to []int32, line []int16, first []int32, weights []int16, n int) {
	for o := range to {
		v, w := line[first[o]:][:n], weights[o*n:][:n]
		var sum int32
		for len(v) >= acrossUnit && len(w) >= acrossUnit {
			a, b := (*[acrossUnit]int16)(v), (*[acrossUnit]int16)(w)
			sum += int32(a[0])*int32(b[0]) + int32(a[1])*int32(b[1]) + int32(a[2])*int32(b[2]) + int32(a[3])*int32(b[3]) +
				int32(a[4])*int32(b[4]) + int32(a[5])*int32(b[5]) + int32(a[6])*int32(b[6]) + int32(a[7])*int32(b[7])
			v, w = v[acrossUnit:], w[acrossUnit:]
		}
		to[o] = (sum + 1<<(acrossShift-1)) >> acrossShift
	}
}
