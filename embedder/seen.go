package embedder

import (
	"context"
	"fmt"

	"annbench/embedder/catalog"
	"annbench/embedder/models"
)

// TrainedOn is how many pictures of a collection, from place first up to end, are of files that the model was trained on, by the list that
// its card names (see [models.Card.Seen]): what is measured on them flatters the model. It is 0 where the card
// names none, and for collections that are not files.
func TrainedOn(ctx context.Context, card *models.Card, src catalog.Source, first, end int) (int, error) {
	seen, err := card.Seen()
	if err != nil || seen == nil {
		return 0, err
	}
	files, ok := src.(catalog.Filed)
	if !ok {
		return 0, nil
	}
	sums, err := files.FileSums(ctx)
	if err != nil {
		return 0, fmt.Errorf("hashing %s: %w", src.Name(), err)
	}
	n, place := 0, 0
	for group, sum := range sums {
		next := place + len(src.Items(group))
		if seen.Has(sum) {
			n += max(0, min(next, end)-max(place, first))
		}
		place = next
	}
	return n, nil
}
