package boards

// point is a place in a piece's own frame: x to the right, y down, about 1 from end to end.
type point struct{ x, y float64 }

// ring is a closed polygon.
type ring = []point

// knot is a point that an outline passes through, round or with a corner.
type knot struct {
	point
	corner bool
}

func round(x, y float64) knot  { return knot{point{x, y}, false} }
func corner(x, y float64) knot { return knot{point{x, y}, true} }

// curve flattens a cubic Hermite spline through the knots. A round knot's tangent points from its
// neighbour before to its neighbour after, and is as long on either side as the segment on that
// side, so that knots at uneven distances make no loops. A corner has no tangent of its own.
func curve(closed bool, knots ...knot) []point {
	n := len(knots)
	last := n - 1
	if closed {
		last = n
	}
	out := make([]point, 0, 9*n)
	for i := range last {
		a, b := knots[i], knots[(i+1)%n]
		dx, dy := b.x-a.x, b.y-a.y
		length := hypot(dx, dy)
		if a.corner && b.corner {
			out = append(out, a.point)
			continue
		}
		ta, tb := point{dx, dy}, point{dx, dy} // of a corner: straight to the other end
		if !a.corner && (closed || i > 0) {
			ta = tangent(knots[(i+n-1)%n].point, a.point, b.point, length)
		}
		if !b.corner && (closed || i+2 < n) {
			tb = tangent(a.point, b.point, knots[(i+2)%n].point, length)
		}
		const steps = 8
		for s := range steps {
			t := float64(float64(s) / steps)
			h2 := float64(t * t * (3 - float64(2*t)))
			h3 := float64(t * (1 - t) * (1 - t))
			h4 := float64(t * t * (t - 1))
			out = append(out, point{
				a.x + float64(h2*dx) + float64(h3*ta.x) + float64(h4*tb.x),
				a.y + float64(h2*dy) + float64(h3*ta.y) + float64(h4*tb.y),
			})
		}
	}
	if !closed {
		out = append(out, knots[n-1].point)
	}
	return out
}

func tangent(before, at, after point, length float64) point {
	sum := hypot(at.x-before.x, at.y-before.y) + hypot(after.x-at.x, after.y-at.y)
	if sum == 0 {
		return point{}
	}
	k := length / sum
	return point{(after.x - before.x) * k, (after.y - before.y) * k}
}

// outline is a closed curve.
func outline(knots ...knot) ring { return curve(true, knots...) }

// mirrored is a closed curve of which the knots, from top to bottom, are the right half.
func mirrored(right ...knot) ring {
	knots := append(make([]knot, 0, 2*len(right)), right...)
	for i := len(right) - 1; i >= 0; i-- {
		if k := right[i]; k.x > 1e-9 {
			knots = append(knots, knot{point{-k.x, k.y}, k.corner})
		}
	}
	return outline(knots...)
}

// polygon is a ring of x, y, x, y...
func polygon(xy ...float64) ring {
	r := make(ring, len(xy)/2)
	for i := range r {
		r[i] = point{xy[2*i], xy[2*i+1]}
	}
	return r
}

func ellipse(x, y, rx, ry float64) ring {
	const n = 28
	r := make(ring, n)
	for i := range r {
		t := float64(float64(i) / n)
		r[i] = point{x + float64(rx*cos(t)), y + float64(ry*sin(t))}
	}
	return r
}

// roundedBox is the rectangle between two corners, its corners rounded by radius.
func roundedBox(x0, y0, x1, y1, radius float64) ring {
	radius = min(radius, (x1-x0)/2, (y1-y0)/2)
	r := make(ring, 0, 20)
	for q, c := range [4]point{{x1 - radius, y1 - radius}, {x0 + radius, y1 - radius}, {x0 + radius, y0 + radius}, {x1 - radius, y0 + radius}} {
		for i := range 5 {
			t := float64(4*q+i) / 16
			r = append(r, point{c.x + float64(radius*cos(t)), c.y + float64(radius*sin(t))})
		}
	}
	return r
}

// ribbon is an open line of the given width with round ends. Its bends must be wider than the line.
func ribbon(line []point, width float64) ring {
	return taper(line, width, width)
}

// taper is a ribbon whose width runs from one value to another.
func taper(line []point, from, to float64) ring {
	n := len(line)
	left, right := make([]point, 0, 2*n+10), make([]point, 0, n+5)
	for i, p := range line {
		a, b := line[max(i-1, 0)], line[min(i+1, n-1)]
		dx, dy := b.x-a.x, b.y-a.y
		l := hypot(dx, dy)
		if l == 0 {
			continue
		}
		w := lerp(from, to, float64(i)/float64(max(n-1, 1))) / 2
		ux, uy := float64(dx/l*w), float64(dy/l*w)
		if i == 0 {
			left = append(left, point{p.x - float64(ux*.7) + float64(uy*.7), p.y - float64(uy*.7) - float64(ux*.7)})
			right = append(right, point{p.x - float64(ux*.7) - float64(uy*.7), p.y - float64(uy*.7) + float64(ux*.7)})
		}
		left = append(left, point{p.x + uy, p.y - ux})
		right = append(right, point{p.x - uy, p.y + ux})
		if i == n-1 {
			left = append(left, point{p.x + float64(ux*.7) + float64(uy*.7), p.y + float64(uy*.7) - float64(ux*.7)})
			right = append(right, point{p.x + float64(ux*.7) - float64(uy*.7), p.y + float64(uy*.7) + float64(ux*.7)})
		}
	}
	for i := len(right) - 1; i >= 0; i-- {
		left = append(left, right[i])
	}
	return left
}

// band is the closed line around a ring: an outer ring, and the hole in it.
func band(r ring, width float64) []ring {
	n := len(r)
	outer, inner := make(ring, n), make(ring, n)
	for i, p := range r {
		a, b := r[(i+n-1)%n], r[(i+1)%n]
		dx, dy := b.x-a.x, b.y-a.y
		l := hypot(dx, dy)
		if l == 0 {
			l = 1
		}
		ux, uy := float64(dx/l*width/2), float64(dy/l*width/2)
		outer[i] = point{p.x + uy, p.y - ux}
		inner[n-1-i] = point{p.x - uy, p.y + ux}
	}
	return []ring{outer, inner}
}

// placed moves a ring: scaled, turned by so many turns, shifted.
func placed(r ring, scale, turn, x, y float64) ring {
	c, s := cos(turn)*scale, sin(turn)*scale
	for i, p := range r {
		r[i] = point{x + float64(c*p.x) - float64(s*p.y), y + float64(s*p.x) + float64(c*p.y)}
	}
	return r
}
