package vec

// DotMatrix sets out[i*b.Rows+j] to the dot product of row i of a and row j of b: the bits that [Dot]
// gives. a should be the taller of the two; b is read once for every few dozen rows of a.
func DotMatrix(out []float32, a, b Matrix) {
	out = out[:a.Rows*b.Rows]
	if a.Dim != b.Dim {
		panic("vec: matrices of different dimensions")
	}
	if a.Dim == 0 {
		clear(out)
		return
	}
	const blockBytes = 256 << 10 // of rows of a, to stay in the second-level cache
	width, height := kern.tileQueries, kern.tileRows
	most := max(1, blockBytes/(4*a.Dim*width))
	groups := min(most, a.Rows/width)
	tile := make([]float32, groups*width*height)
	tiled := b.Rows / height * height
	from := 0
	for ; groups > 0 && from+width <= a.Rows; from += groups * width {
		groups = min(groups, (a.Rows-from)/width)
		for j := 0; j < tiled; j += height {
			kern.tile(&a.Data[from*a.Dim], &b.Data[j*b.Dim], groups, a.Dim, &tile[0])
			for g := range groups {
				for r := range height {
					values := tile[(g*height+r)*width:][:width]
					for q, v := range values {
						out[(from+g*width+q)*b.Rows+j+r] = v
					}
				}
			}
		}
		for i := from; i < from+groups*width; i++ {
			for j := tiled; j < b.Rows; j++ {
				out[i*b.Rows+j] = kern.dot.one(&a.Data[i*a.Dim], &b.Data[j*b.Dim], a.Dim)
			}
		}
	}
	for i := from; i < a.Rows; i++ {
		DotRows(out[i*b.Rows:(i+1)*b.Rows], a.Row(i), b)
	}
}
