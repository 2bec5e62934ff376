package weaviate

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"annbench/indexes/vec"
)

const (
	largest = 100 << 20 // bytes of an answer; Weaviate's own limit

	batchBytes   = 4 << 20 // of a batch of import; Weaviate recommends batches of hundreds of objects
	batchObjects = 1000
	batchTime    = 5 * time.Minute // for a batch, which waits for the graph
	overloads    = 6               // times that a batch is tried, where the server says that it is overloaded
)

// raw is a codec for messages that are bytes already.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) ([]byte, error) { return v.([]byte), nil }

func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append((*v.(*[]byte))[:0], data...)
	return nil
}

// idPrefix are the first twelve bytes of every id; the row is the last four. It begins with a byte that
// is not zero, because Weaviate answers with ids as numbers, without leading zeros.
const idPrefix = "\xa0\x00\x00\x00\x00\x00\x40\x00\x80\x00\x00\x00"

func uuidOf(row int) string { return fmt.Sprintf("a0000000-0000-4000-8000-%012x", row) }

func rowOf(id []byte) (int32, error) {
	row, ok := bytes.CutPrefix(id, []byte(idPrefix))
	if !ok || len(row) != 4 {
		return 0, fmt.Errorf("the id %x, which was not imported", id)
	}
	return int32(binary.BigEndian.Uint32(row)), nil
}

func appendVector(b []byte, v []float32) []byte {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendBytes(b []byte, field protowire.Number, s []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendVarint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

// Import adds the vectors to a collection, numbered from first on, in batches of bounded size, one after
// the other: the server indexes a batch before it answers, which is what holds the client back. What the
// server refuses for being overloaded is tried again a few times, anything else that it says of a batch
// or of a single object ends the import.
func (c *Client) Import(ctx context.Context, name string, vectors vec.Matrix, first int) error {
	return c.write(ctx, name, vectors, first, nil)
}

// Mark imports the vectors again, which were imported with the same numbers before, with the numbers of the sets that each is
// in: sets gives them by row. Weaviate indexes no vector anew that has not changed. The collection must have the property:
// see [Client.HoldSets].
func (c *Client) Mark(ctx context.Context, name string, vectors vec.Matrix, sets func(row int) []int) error {
	return c.write(ctx, name, vectors, 0, sets)
}

func (c *Client) write(ctx context.Context, name string, vectors vec.Matrix, first int, sets func(row int) []int) error {
	class := Class(name)
	object := 4*vectors.Dim + len(class) + 64
	size := max(1, min(batchObjects, batchBytes/object))
	rows := make([]int, 0, size)
	for from := 0; from < vectors.Rows; from += size {
		rows = rows[:0]
		for row := from; row < min(from+size, vectors.Rows); row++ {
			rows = append(rows, row)
		}
		if err := c.batch(ctx, class, vectors, rows, first, sets); err != nil {
			return fmt.Errorf("importing vectors %d to %d of %d: %w", from, from+len(rows)-1, vectors.Rows, err)
		}
	}
	return nil
}

func (c *Client) batch(ctx context.Context, class string, vectors vec.Matrix, rows []int, first int, sets func(row int) []int) error {
	for try, pause := 1, 250*time.Millisecond; ; try, pause = try+1, 2*pause {
		left, err := c.send(ctx, class, vectors, rows, first, sets)
		if err == nil || len(left) == 0 || try == overloads {
			return err
		}
		rows = left
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// send imports rows once. Of an error it returns those that may be tried again.
func (c *Client) send(ctx context.Context, class string, vectors vec.Matrix, rows []int, first int, sets func(row int) []int) (again []int, err error) {
	var message, object []byte
	vector := make([]byte, 0, 4*vectors.Dim)
	for _, row := range rows {
		vector = appendVector(vector[:0], vectors.Row(row))
		object = appendString(object[:0], 1, uuidOf(first+row))
		if sets != nil {
			object = appendBytes(object, 3, appendSets(nil, sets(row)))
		}
		object = appendString(object, 4, class)
		object = appendBytes(object, 6, vector)
		message = appendBytes(message, 1, object)
	}
	ctx, cancel := context.WithTimeout(ctx, batchTime)
	defer cancel()
	var reply []byte
	if err := c.rpc.Invoke(c.outgoing(ctx), "/weaviate.v1.Weaviate/BatchObjects", message, &reply); err != nil {
		if status.Code(err) == codes.ResourceExhausted {
			again = rows
		}
		return again, rpcError(ctx, err)
	}
	refused := map[int]string{}
	if err := fields(reply, func(n protowire.Number, v []byte, _ uint64) error {
		if n != 2 {
			return nil
		}
		index, text := 0, ""
		if err := fields(v, func(n protowire.Number, v []byte, x uint64) error {
			switch n {
			case 1:
				index = int(x)
			case 2:
				text = string(v)
			}
			return nil
		}); err != nil {
			return err
		}
		refused[index] = text
		return nil
	}); err != nil {
		return nil, fmt.Errorf("weaviate: the answer to a batch: %w", err)
	}
	if len(refused) == 0 {
		return nil, nil
	}
	worst := -1
	for index, text := range refused {
		if index < 0 || index >= len(rows) {
			return nil, fmt.Errorf("weaviate refuses an object that was not sent: %s", text)
		}
		if overloaded(text) {
			again = append(again, rows[index])
		}
		if worst < 0 || index < worst {
			worst = index
		}
	}
	if len(again) < len(refused) {
		again = nil
	}
	return again, fmt.Errorf("weaviate refuses %d of %d objects, the first (%d) with: %s", len(refused), len(rows), rows[worst], refused[worst])
}

// appendSets adds the properties of an object that is in these sets.
func appendSets(b []byte, sets []int) []byte {
	if len(sets) == 0 {
		return appendString(b, 10, setsProperty)
	}
	var values []byte
	for _, n := range sets {
		values = protowire.AppendVarint(values, uint64(n))
	}
	return appendBytes(b, 5, appendString(appendBytes(nil, 1, values), 2, setsProperty))
}

// Among says which objects a search may answer with.
type Among struct {
	// Set is the number of a set that objects were marked with; it counts where IDs is nil.
	Set int
	IDs []int32
}

// filter is the message of a.
func (a *Among) filter() []byte {
	if a.IDs != nil {
		return idFilter(a.IDs)
	}
	filter := appendVarint(nil, 1, equal)
	filter = appendVarint(filter, 5, uint64(a.Set))
	return appendBytes(filter, 20, appendString(nil, 1, setsProperty))
}

// idFilter is the message of a filter by the numbers of objects.
func idFilter(ids []int32) []byte {
	var values []byte
	for _, id := range ids {
		values = appendString(values, 1, uuidOf(int(id)))
	}
	filter := appendVarint(nil, 1, containsAny)
	filter = appendBytes(filter, 9, values)
	return appendBytes(filter, 20, appendString(nil, 1, "_id"))
}

// deleteObjects are deleted with one call: a server refuses more than its QUERY_MAXIMUM_RESULTS, 10,000 by default.
const deleteObjects = 1000

// The operators of filters that are used.
const (
	equal       = 1
	containsAny = 12
)

// Delete deletes objects by their numbers. It is an error if one is not there; others are then deleted all the same.
func (c *Client) Delete(ctx context.Context, name string, ids []int32) error {
	for from := 0; from < len(ids); from += deleteObjects {
		some := ids[from:min(from+deleteObjects, len(ids))]
		if err := c.delete(ctx, Class(name), some); err != nil {
			return fmt.Errorf("deleting %d to %d of %d vectors: %w", from, from+len(some)-1, len(ids), err)
		}
	}
	return nil
}

func (c *Client) delete(ctx context.Context, class string, ids []int32) error {
	message := appendBytes(appendString(nil, 1, class), 2, idFilter(ids))
	ctx, cancel := context.WithTimeout(ctx, batchTime)
	defer cancel()
	var reply []byte
	if err := c.rpc.Invoke(c.outgoing(ctx), "/weaviate.v1.Weaviate/BatchDelete", message, &reply); err != nil {
		return rpcError(ctx, err)
	}
	var failed, matches, done uint64
	if err := fields(reply, func(n protowire.Number, _ []byte, x uint64) error {
		switch n {
		case 2:
			failed = x
		case 3:
			matches = x
		case 4:
			done = x
		}
		return nil
	}); err != nil {
		return fmt.Errorf("weaviate: the answer to a deletion: %w", err)
	}
	if failed > 0 || matches != uint64(len(ids)) || done != matches {
		return fmt.Errorf("weaviate found %d of %d objects, deleted %d and failed at %d", matches, len(ids), done, failed)
	}
	return nil
}

// overloaded reports whether the server refuses for the moment only.
func overloaded(text string) bool {
	return strings.Contains(text, "memory pressure") || strings.Contains(text, "too many requests")
}

// Search appends to dst the k nearest of q that the collection finds, in its order, with the distances
// that it gives; where among is not nil, of the objects that it says.
func (c *Client) Search(ctx context.Context, name string, dst []vec.Neighbor, q []float32, k int, among *Among) ([]vec.Neighbor, error) {
	buf := make([]byte, 0, 4*len(q)+128)
	vector := appendVector(make([]byte, 0, 4*len(q)), q)
	buf = appendString(buf, 1, Class(name))
	// Metadata: uuid and distance; no properties.
	buf = appendBytes(buf, 21, []byte{1 << 3, 1, 5 << 3, 1})
	buf = appendVarint(buf, 30, uint64(k))
	if among != nil {
		buf = appendBytes(buf, 40, among.filter())
	}
	near := appendBytes(nil, 4, vector)
	buf = appendBytes(buf, 43, near)
	buf = appendVarint(buf, 100, 1)
	buf = appendVarint(buf, 102, 1)
	var reply []byte
	if err := c.rpc.Invoke(c.outgoing(ctx), "/weaviate.v1.Weaviate/Search", buf, &reply); err != nil {
		return dst, rpcError(ctx, err)
	}
	from := len(dst)
	err := fields(reply, func(n protowire.Number, result []byte, _ uint64) error {
		if n != 2 {
			return nil
		}
		return fields(result, func(n protowire.Number, meta []byte, _ uint64) error {
			if n != 2 {
				return nil
			}
			found, err := neighbor(meta)
			dst = append(dst, found)
			return err
		})
	})
	if err != nil {
		return dst[:from], fmt.Errorf("weaviate: the answer to a search: %w", err)
	}
	return dst, nil
}

// neighbor reads the metadata of one answer.
func neighbor(meta []byte) (found vec.Neighbor, err error) {
	id, distance := false, false
	err = fields(meta, func(n protowire.Number, v []byte, x uint64) error {
		switch n {
		case 7:
			found.Dist = math.Float32frombits(uint32(x))
		case 8:
			distance = x != 0
		case 20:
			row, err := rowOf(v)
			found.ID, id = row, true
			return err
		}
		return nil
	})
	if err == nil && !(id && distance) {
		err = errors.New("an object without id or distance")
	}
	return found, err
}

var errMessage = errors.New("it is not a message that can be read")

// fields calls each for every field of a message: with the bytes of one that has a length, with the
// number of another.
func fields(b []byte, each func(n protowire.Number, v []byte, x uint64) error) error {
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return errMessage
		}
		b = b[size:]
		var v []byte
		var x uint64
		switch kind {
		case protowire.BytesType:
			v, size = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			x, size = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var x32 uint32
			x32, size = protowire.ConsumeFixed32(b)
			x = uint64(x32)
		case protowire.Fixed64Type:
			x, size = protowire.ConsumeFixed64(b)
		default:
			size = protowire.ConsumeFieldValue(n, kind, b)
		}
		if size < 0 {
			return errMessage
		}
		b = b[size:]
		if err := each(n, v, x); err != nil {
			return err
		}
	}
	return nil
}

// rpcError is what the server or the way to it says. A call that the caller's context has ended is that
// context's error.
func rpcError(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	s := status.Convert(err)
	if s.Code() == codes.DeadlineExceeded {
		return fmt.Errorf("weaviate did not answer in time: %s", s.Message())
	}
	return fmt.Errorf("weaviate: %s: %s", s.Code(), s.Message())
}
