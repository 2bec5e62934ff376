package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"annbench/online"
)

// Experiment compares two of the indexes by what people click: see package online.
type Experiment struct {
	Name string
	Mode string // online.Interleaved or online.Split
	// Points are the IDs of the two indexes, or "exact".
	Points [2]string
	// Log takes what is shown and what is clicked.
	Log *online.Log
}

// experimentID is the name of the index that an experiment stands behind. Nobody who asks it learns which of the two
// gave an answer.
const experimentID = "experiment"

// NewExperiment is an experiment of that mode with two indexes, each named by its family, of which the first setting
// is taken, by its ID, or as "exact". Its beginning is noted in log.
func NewExperiment(mode, names string, points []*Point, log *online.Log) (*Experiment, error) {
	pair := strings.Split(names, ",")
	if len(pair) != 2 {
		return nil, fmt.Errorf("%q are not two indexes: write them like forest,hnsw-faiss", names)
	}
	e := &Experiment{Mode: mode, Log: log}
	var arms []online.Arm
	for i, name := range pair {
		name = strings.TrimSpace(name)
		arm := online.Arm{Name: exactID, Index: exactID}
		if name != exactID {
			at := slices.IndexFunc(points, func(p *Point) bool { return p.Missing == "" && (p.Cell.Family == name || p.ID == name) })
			if at < 0 {
				var there []string
				for _, p := range points {
					if p.Missing == "" {
						there = append(there, p.Cell.Family+" ("+p.ID+")")
					}
				}
				return nil, fmt.Errorf("there is no index %q to compare, but exact, %s", name, strings.Join(there, ", "))
			}
			p := points[at]
			arm = online.Arm{Name: strings.TrimSpace(p.Cell.Family + " " + p.Cell.Settings()), Index: p.ID, Measured: p.Values}
		}
		e.Points[i] = arm.Index
		arms = append(arms, arm)
	}
	if e.Points[0] == e.Points[1] {
		return nil, fmt.Errorf("%q is one index twice: nothing could come of it", names)
	}
	e.Name = mode + " " + arms[0].Name + " | " + arms[1].Name
	return e, log.Append(online.Line{Kind: online.KindExperiment, At: time.Now(), Experiment: e.Name, Mode: mode, Arms: arms})
}

const visitCookie = "annbench-visit"

// visit is the session of a browser: a number of chance in a cookie that lasts as long as the browser is open.
func (s *Server) visit(w http.ResponseWriter, req *http.Request, begin bool) (session string, ok bool) {
	if c, err := req.Cookie(visitCookie); err == nil && len(c.Value) == len(rand.Text()) {
		return s.Experiment.Log.Key.Session(c.Value), true
	}
	if !begin {
		return "", false
	}
	secret := rand.Text()
	http.SetCookie(w, &http.Cookie{Name: visitCookie, Value: secret, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	return s.Experiment.Log.Key.Session(secret), true
}

// experiment answers a search with a list of the experiment, and notes that it was shown.
func (s *Server) experiment(ctx context.Context, w http.ResponseWriter, req *http.Request, r *searchRequest, label int32, q *asked) (searchReply, error) {
	e := s.Experiment
	out := searchReply{Query: q.view, K: r.K}
	session, _ := s.visit(w, req, true)
	arm := e.Log.Key.Arm(session, e.Name)
	leave, err := s.searches.enter(ctx)
	if err != nil {
		return out, err
	}
	defer leave()
	j := &judge{Library: s.Library, q: q, k: r.K, label: label, among: r.among}
	var lists [2]resultView
	for i, id := range e.Points {
		if e.Mode == online.Split && i != arm {
			continue
		}
		if p := s.points[id]; id != exactID && (p == nil || p.Missing != "") {
			return out, problem{http.StatusConflict, indexMissing, "An index of the experiment is not served any more."}
		}
		if lists[i], err = s.ask(ctx, id, j, false); err != nil {
			return out, err
		}
	}
	line := online.Line{Kind: online.KindImpression, At: time.Now(), Experiment: e.Name, Session: session}
	if q.label >= 0 {
		line.Category = s.Library.labels[q.label].name
	}
	result := resultView{Index: experimentID, Asked: r.K, Answers: []answerView{}, SearchSeconds: lists[0].SearchSeconds + lists[1].SearchSeconds}
	if e.Mode == online.Split {
		line.Arm = arm + 1
		result.Answers = lists[arm].Answers
		line.Items = itemsOf(result.Answers)
	} else {
		var teams []byte
		rng := mathrand.New(mathrand.NewPCG(mathrand.Uint64(), mathrand.Uint64()))
		line.Items, teams = online.Interleave(itemsOf(lists[0].Answers), itemsOf(lists[1].Answers), r.K, rng)
		line.Teams = string(teams)
		views := map[int]answerView{}
		for _, list := range lists {
			for _, a := range list.Answers {
				views[a.Item] = a
			}
		}
		for i, item := range line.Items {
			a := views[item]
			a.Rank = i + 1
			result.Answers = append(result.Answers, a)
		}
	}
	line.ID = e.Log.Key.Impression(session, len(line.Items), line.At)
	if err := e.Log.Append(line); err != nil {
		s.Log.Error("a list is shown that takes no clicks", "error", err)
	} else {
		result.Impression = line.ID
	}
	out.Results = []resultView{result}
	return out, nil
}

func itemsOf(answers []answerView) []int {
	out := make([]int, len(answers))
	for i, a := range answers {
		out[i] = a.Item
	}
	return out
}

// eventRequest is the body of POST /events.
type eventRequest struct {
	Impression string `json:"impression"` // that of the list
	Rank       int    `json:"rank"`       // of the item in the list, from 1
	What       string `json:"what"`       // click, more or basket
}

// event takes what somebody did with an item of a list. It is noted before it is answered, and on the disk a moment
// later.
func (s *Server) event(w http.ResponseWriter, req *http.Request) error {
	var r eventRequest
	done, err := s.readJSON(w, req, &r)
	if err != nil {
		return err
	}
	defer done()
	e := s.Experiment
	if e == nil {
		return problem{http.StatusNotFound, noExperiment, "No experiment runs here."}
	}
	session, ok := s.visit(w, req, false)
	if !ok {
		return problem{http.StatusForbidden, noList, "The list was shown to nobody: the cookie is missing that came with it."}
	}
	now := time.Now()
	items, err := e.Log.Key.Check(r.Impression, session, now)
	switch {
	case errors.Is(err, online.ErrOld):
		return problem{http.StatusForbidden, noList, fmt.Sprintf("The list was shown more than %.0f hours ago.", online.MaxAge.Hours())}
	case err != nil:
		return problem{http.StatusForbidden, noList, "No such list was shown to this browser."}
	case r.Rank < 1 || r.Rank > items:
		return badRequest(badEvent, "rank has to be between 1 and %d.", items)
	case r.What != online.Click && r.What != online.More && r.What != online.Basket:
		return badRequest(badEvent, "what has to be %s, %s or %s, not %q.", online.Click, online.More, online.Basket, r.What)
	}
	if err := e.Log.Append(online.Line{Kind: online.KindEvent, At: now, ID: r.Impression, Session: session, Rank: r.Rank, What: r.What}); err != nil {
		s.Log.Error("an event is lost", "error", err)
		return errBusy
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Labelled is what exact search answers to each labelled query that was held out (or that is searched for, where none
// was), as relevant or not: what simulated people go through.
func (l *Library) Labelled(ctx context.Context, k int) ([]online.Query, error) {
	var out []online.Query
	for n, item := range l.items {
		if item.query < 0 || item.label < 0 || !l.has(n) {
			continue
		}
		got, err := l.exact(ctx, l.vector(n), k, -1, item.base, nil)
		if err != nil {
			return nil, err
		}
		q := online.Query{Base: float64(len(l.labels[item.label].rows)) / float64(l.set.Base.Rows)}
		for _, a := range got {
			q.Relevant = append(q.Relevant, l.set.BaseLabels[a.ID] == item.label)
		}
		out = append(out, q)
	}
	return out, nil
}
