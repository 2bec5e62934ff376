package pgvector

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"annbench/indexes/vec"
)

// Add adds rows to the table, numbered on from the last number that was given, all or none. It must not run while a search
// or another change does.
func (x *Searcher) Add(ctx context.Context, more vec.Matrix) error {
	err := x.change(ctx, func(c *conn) error {
		return c.whole(ctx, func() error { return x.server.bring(ctx, c, &x.table, more, x.given) })
	})
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.given += more.Rows
	x.living += more.Rows
	if x.table.Metric != vec.Cosine || x.table.Kind != None || x.zeros {
		return nil
	}
	for i := range more.Rows {
		if !slices.ContainsFunc(more.Row(i), func(v float32) bool { return v != 0 }) {
			x.zeros = true
			for _, one := range x.idle { // their statements do not reckon with it
				clear(one.prepared)
			}
			break
		}
	}
	return nil
}

// Remove deletes rows, all or none: that each is there is for the caller to know, and an error where it is not. What they
// leave behind stays in table and index until it is vacuumed. It must not run while a search or another change does.
func (x *Searcher) Remove(ctx context.Context, ids []int32) error {
	list := []byte{'{'}
	for i, id := range ids {
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendInt(list, int64(id), 10)
	}
	list = append(list, '}')
	err := x.change(ctx, func(c *conn) error {
		return c.whole(ctx, func() error {
			result := c.ExecParams(ctx, "DELETE FROM "+ident(x.table.Name)+" WHERE id = ANY($1::integer[])", [][]byte{list}, nil, nil, nil).Read()
			if result.Err != nil {
				return x.server.failed(ctx, result.Err)
			}
			if n := result.CommandTag.RowsAffected(); n != int64(len(ids)) {
				return fmt.Errorf("the server has %d of the %d rows that were to be deleted", n, len(ids))
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.living -= len(ids)
	return nil
}

// Vacuum makes the room of deleted rows free for others, and takes them out of the index.
func (x *Searcher) Vacuum(ctx context.Context) error {
	return x.change(ctx, func(c *conn) error {
		_, err := c.query(ctx, "VACUUM (ANALYZE) "+ident(x.table.Name))
		return err
	})
}

// change lends do a connection.
func (x *Searcher) change(ctx context.Context, do func(*conn) error) error {
	if x.server.oneSession {
		oneAtATime.Lock()
		defer oneAtATime.Unlock()
	}
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return ErrClosed
	}
	x.forget()
	var one *session
	if last := len(x.idle) - 1; last >= 0 {
		one, x.idle = x.idle[last], x.idle[:last]
	}
	x.mu.Unlock()
	if one == nil {
		var err error
		if one, err = x.open(ctx); err != nil {
			return err
		}
	}
	defer x.give(one)
	return do(one.conn)
}

// whole makes one transaction of do.
func (c *conn) whole(ctx context.Context, do func() error) error {
	if _, err := c.query(ctx, "BEGIN"); err != nil {
		return err
	}
	if err := do(); err != nil {
		if _, failed := c.query(context.WithoutCancel(ctx), "ROLLBACK"); failed != nil {
			c.close() // the server rolls back what has lost its client
		}
		return err
	}
	_, err := c.query(ctx, "COMMIT")
	return err
}
