package bridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// rival is another bridge that hears what a publisher hears.
type rival struct {
	names   *alignment
	backlog *backlog
	course  *course
	*appender
}

func newRival(js jetstream.JetStream) *rival {
	r := &rival{names: newAlignment(), backlog: memoryBacklog(1 << 30), appender: testAppender(js, ProcessSafe)}
	r.course = newCourse(r.names, r.backlog)
	return r
}

// named are n messages whose ids the server does not look at.
func named(prefix string, n int) []*nats.Msg {
	msgs := ticks(prefix, n)
	for _, msg := range msgs {
		msg.Header.Set(idHeader, msg.Header.Get(nats.MsgIdHdr))
		msg.Header.Del(nats.MsgIdHdr)
	}
	return msgs
}

// heard are n ticks as all the courses hear them.
func heard(n int, courses ...*course) {
	for range n {
		m := message{payload: fmt.Sprintf(`{"symbol":"A","price":1,"timestamp":%d}`, time.Now().Unix()), receivedAt: time.Now()}
		for _, c := range courses {
			c.add(m)
		}
	}
}

// next are the messages of the next n that the rival heard.
func (r *rival) next(t *testing.T, n int) []*nats.Msg {
	t.Helper()
	all, _ := r.backlog.takeNow(nil, n)
	if len(all) != n {
		t.Fatalf("the rival heard %d more, want %d", len(all), n)
	}
	var msgs []*nats.Msg
	for i := range all {
		msg := nats.NewMsg(stream.TickSubject("A"))
		msg.Header.Set(idHeader, r.names.id(all[i].at))
		msgs = append(msgs, msg)
	}
	r.backlog.settleAll(place{})
	return msgs
}

func (r *rival) stores(t *testing.T, msgs []*nats.Msg) {
	t.Helper()
	r.reach(t)
	if err := r.append(t.Context(), 0, msgs, time.Now(), false); err != nil {
		t.Fatal(err)
	}
}

func leads(t *testing.T, p *publisher) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.lead(ctx) }() // ends with ctx
	return func() { cancel(); <-done }
}

// Where a bridge on standby has told what only it had, the leader may end before
// it has let go of what came then and is stored.
func TestLeadsRightAfterItReconciled(t *testing.T) {
	js := ensured(t, testbed.StartNATS(t).JetStream())
	p, course := leader(t, js, &gate{})
	other := newRival(js)
	beat := newBeatName()
	course.beat(beat)
	other.course.beat(beat)
	heard(50, course, other.course)
	p.unreconciled, p.unreconciledTo = true, p.names.heardLast()
	heard(50, course, other.course)
	other.stores(t, other.next(t, 100))
	if err := p.catchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.unreconciled {
		t.Fatal("not reconciled")
	}
	end := leads(t, p)
	defer end()
	heard(1, course)
	testbed.Eventually(t, 10*time.Second, "what it heard last stored", func(context.Context) bool { return p.backlog.depth().ticks == 0 })
	expectCount(t, js, 101)
}

// A batch that another begins once this bridge leads, and in the middle of which
// that one stands still, is ended before the rest of it is stored here.
func TestBatchBegunMeanwhileIsEnded(t *testing.T) {
	js := ensured(t, testbed.StartNATS(t).JetStream())
	old, a := testAppender(js, ProcessSafe), testAppender(js, ProcessSafe)
	old.reach(t)
	a.reach(t)
	msgs := named("t.", 100)
	batch := old.begin(t, msgs, 40)
	if err := a.append(t.Context(), 0, named("t.", 100), time.Now(), false); err != nil {
		t.Fatal(err)
	}
	expectCount(t, js, 100)
	old.goOn(t, batch, msgs, 100)
	expectCount(t, js, 100)
}

// The same between the look for the batch of the bridge before and the end of the
// look for what is stored.
func TestBatchBegunDuringTheSurveyIsEnded(t *testing.T) {
	js := ensured(t, testbed.StartNATS(t).JetStream())
	p, course := leader(t, js, &gate{})
	other := newRival(js)
	beat := newBeatName()
	course.beat(beat)
	other.course.beat(beat)
	heard(100, course, other.course)
	other.reach(t)
	msgs := other.next(t, 100)
	batch := other.begin(t, msgs, 40)
	if err := p.lookAround(t.Context(), &p.taken); err != nil {
		t.Fatal(err)
	}
	p.appender.deliver(t, msgs[40:])
	expectCount(t, js, 100)
	other.goOn(t, batch, msgs, 100)
	expectCount(t, js, 100)
}

// What the bridge before has stored, and this one hears only later, is not stored
// again.
func TestWhatIsStoredBeforeItIsHeard(t *testing.T) {
	js := ensured(t, testbed.StartNATS(t).JetStream())
	p, course := leader(t, js, &gate{})
	other := newRival(js)
	beat := newBeatName()
	course.beat(beat)
	other.course.beat(beat)
	heard(100, course, other.course)
	heard(50, other.course)
	other.stores(t, other.next(t, 150))
	end := leads(t, p)
	defer end()
	testbed.Eventually(t, 10*time.Second, "all let go", func(context.Context) bool { return p.backlog.depth().ticks == 0 })
	heard(50, course)
	testbed.Eventually(t, 10*time.Second, "all let go", func(context.Context) bool { return p.backlog.depth().ticks == 0 })
	heard(1, course)
	testbed.Eventually(t, 10*time.Second, "all let go", func(context.Context) bool { return p.backlog.depth().ticks == 0 })
	expectCount(t, js, 151)
}

// A batch is not ended by what the server said before it was asked to end it, nor
// by an error that comes before it looks for the batch.
func TestEndIsWhatTheServerSaysOfTheEnd(t *testing.T) {
	server := testbed.StartNATS(t)
	js := ensured(t, server.JetStream())
	a := testAppender(js, ProcessSafe)
	a.reach(t)
	batch := a.begin(t, named("t.", 1000), 900)
	testbed.Eventually(t, 10*time.Second, "acknowledgements", func(context.Context) bool { return len(a.fast.acks) > 3 })
	if err := a.fast.end(t.Context(), "nobody.is.there", batch.name); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("ended with nobody there: %v", err)
	}
	sub, err := server.Connect().Subscribe("full", func(msg *nats.Msg) {
		_ = msg.Respond([]byte(`{"error":{"code":503,"err_code":10023,"description":"insufficient resources"},"stream":"TICKS","seq":0}`))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	testbed.Eventually(t, 10*time.Second, "an answer", func(context.Context) bool {
		err := a.fast.end(t.Context(), "full", batch.name)
		return err != nil && !errors.Is(err, nats.ErrNoResponders)
	})
	if err := a.fast.end(t.Context(), stream.TickSubject("A"), batch.name); err != nil {
		t.Errorf("end: %v", err)
	}
}

// A place that a look has come to is known by its message: it may be lost with the
// end of the stream, and another message be there.
func TestPlaceOfALookIsKnownByItsMessage(t *testing.T) {
	js := ensured(t, testbed.StartNATS(t).JetStream())
	a, other := testAppender(js, ProcessSafe), testAppender(js, ProcessSafe)
	a.reach(t)
	other.reach(t)
	if err := other.append(t.Context(), 0, named("first.", 100), time.Now(), false); err != nil {
		t.Fatal(err)
	}
	a.deliver(t, named("first.", 100)) // finds them
	second := named("second.", 400)
	if err := other.append(t.Context(), 0, named("second.", 400), time.Now(), false); err != nil {
		t.Fatal(err)
	}
	a.last.seq += 200 // as if the stream had ended there before it lost its end
	a.deliver(t, second)
	expectCount(t, js, 500)
}

// What another refused and kept, over more batches than one, is not kept again.
func TestRejectsOfAnotherAreFoundInEachBatch(t *testing.T) {
	js := ensured(t, testbed.StartNATS(t).JetStream())
	reject := func() *appender {
		a := testAppender(js, ProcessSafe)
		a.stream, a.fenced, a.fast = stream.Rejects, false, newFastPublisher(js.Conn(), false)
		return a
	}
	msgs := func(prefix string) []*nats.Msg {
		msgs := named(prefix, 10)
		for _, msg := range msgs {
			msg.Subject = stream.RejectSubject("test")
		}
		return msgs
	}
	a, other := reject(), reject()
	if err := a.append(t.Context(), 0, msgs("own."), time.Now(), false); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"one.", "two."} {
		if err := other.append(t.Context(), 0, msgs(prefix), time.Now(), false); err != nil {
			t.Fatal(err)
		}
	}
	for _, prefix := range []string{"one.", "two."} {
		if err := a.append(t.Context(), 0, msgs(prefix), time.Now(), true); err != nil {
			t.Fatal(err)
		}
	}
	info, err := streamInfo(t.Context(), js, stream.Rejects, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs != 30 {
		t.Errorf("REJECTS holds %d messages, want 30", info.State.Msgs)
	}
}

// A clock mark that this bridge stored before another led is not stored again behind
// what the other stored, where it would pass for what was heard last.
func TestOldMarksAreNotStoredAgain(t *testing.T) {
	js := ensured(t, testbed.StartNATS(t).JetStream())
	p, course := leader(t, js, &gate{})
	p.partitions.Store(2)
	other := newRival(js)
	beat := newBeatName()
	course.beat(beat)
	other.course.beat(beat)
	course.add(message{watermark: time.Now(), receivedAt: time.Now()})
	heard(100, course, other.course)
	other.stores(t, other.next(t, 100))
	end := leads(t, p)
	defer end()
	heard(1, course)
	testbed.Eventually(t, 10*time.Second, "all let go", func(context.Context) bool { return p.backlog.depth().ticks == 0 })
	expectCount(t, js, 101)
}

// An answer of which a part is lost, as where it comes over two connections, is
// asked for again.
func TestLookSeesAHoleInAnAnswer(t *testing.T) {
	server := testbed.StartNATS(t)
	js := ensured(t, server.JetStream())
	if err := testAppender(js, ProcessSafe).append(t.Context(), 0, named("t.", 100), time.Now(), false); err != nil {
		t.Fatal(err)
	}
	// Between is somebody who loses one message, once.
	between := server.Connect()
	lose := 50
	if _, err := between.Subscribe("lossy.>", func(msg *nats.Msg) {
		inbox := between.NewInbox()
		answers, err := between.SubscribeSync(inbox)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = answers.Unsubscribe() }()
		if err := between.PublishRequest("$JS.API."+strings.TrimPrefix(msg.Subject, "lossy."), inbox, msg.Data); err != nil {
			t.Error(err)
		}
		for {
			answer, err := answers.NextMsg(200 * time.Millisecond)
			if err != nil {
				return
			}
			if answer.Header.Get("Nats-Num-Pending") != "" {
				if lose--; lose == 0 {
					continue
				}
			}
			if err := msg.RespondMsg(&nats.Msg{Header: answer.Header, Data: answer.Data}); err != nil {
				t.Error(err)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	lossy, err := jetstream.NewWithAPIPrefix(server.Connect(), "lossy")
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	look := newSearch(lossy, stream.Ticks, 2*time.Second, time.Now().Add(-time.Hour), place{}, nil)
	look.visit = func(id string) { ids[id] = true }
	testbed.Eventually(t, 20*time.Second, "read to the end", func(ctx context.Context) bool { return look.run(ctx) == nil })
	if len(ids) != 100 {
		t.Errorf("came upon %d messages, want 100", len(ids))
	}
}

// Two on standby that have the same, more than one batch of it, store it once.
func TestTwoReconcileTheSame(t *testing.T) {
	js := ensured(t, testbed.StartNATS(t).JetStream())
	b, bc := leader(t, js, &gate{})
	c, cc := leader(t, js, &gate{})
	a := newRival(js)
	beat := newBeatName()
	for _, x := range []*course{bc, cc} {
		x.beat(beat)
	}
	heard(20000, bc, cc)
	for _, p := range []*publisher{b, c} {
		p.unreconciled, p.unreconciledTo = true, p.names.heardLast()
	}
	next := newBeatName()
	for _, x := range []*course{bc, cc, a.course} {
		x.beat(next)
	}
	heard(10, bc, cc, a.course)
	a.stores(t, a.next(t, 10))
	done := make(chan error, 2)
	for _, p := range []*publisher{b, c} {
		go func() { done <- p.catchUp(t.Context()) }()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if b.unreconciled || c.unreconciled {
		t.Error("not reconciled")
	}
	expectCount(t, js, 20010)
}

// What is heard before the first beat of a subscription, and placed by it after this
// bridge looked around, may be stored already as well.
func TestWhatIsPlacedAfterTheLookAround(t *testing.T) {
	js := ensured(t, testbed.StartNATS(t).JetStream())
	g := &gate{asked: make(chan struct{}), answers: make(chan error)}
	p, course := leader(t, js, g)
	other := newRival(js)
	other.course.beat(newBeatName())
	heard(50, other.course)
	heard(10, course, other.course)
	other.stores(t, other.next(t, 60))
	g.shut.Store(true)
	end := leads(t, p)
	defer end()
	<-g.asked
	g.answers <- nil // to lead: it looks around, and waits for what would tell it more
	beat := newBeatName()
	other.course.beat(beat)
	course.beat(beat)
	testbed.Eventually(t, 10*time.Second, "the beat heard", func(context.Context) bool { return p.names.heardLast().beat > 0 })
	course.beat(<-other.course.links)
	<-g.asked // with the first in hand
	g.shut.Store(false)
	g.answers <- nil
	heard(1, course)
	testbed.Eventually(t, 10*time.Second, "all let go", func(context.Context) bool { return p.backlog.depth().ticks == 0 })
	expectCount(t, js, 61)
}

// A bridge that is behind in hearing, when it comes to lead, than the one before it
// was, by a beat and more, stores nothing of what that one stored.
func TestWhatIsHeardLateIsNotStoredAgain(t *testing.T) {
	js := ensured(t, testbed.StartNATS(t).JetStream())
	g := &gate{asked: make(chan struct{}), answers: make(chan error)}
	p, course := leader(t, js, g)
	other := newRival(js)
	first, second := newBeatName(), newBeatName()
	course.beat(first)
	other.course.beat(first)
	heard(50, course, other.course)
	other.course.beat(second)
	heard(60, other.course)
	other.stores(t, other.next(t, 110))
	g.shut.Store(true)
	end := leads(t, p)
	defer end()
	<-g.asked // whether it may lead
	g.answers <- nil
	var looked bool
	select {
	case <-g.asked: // whether it may store: it has looked around, and waited for nothing
		looked = true
	case <-time.After(100 * time.Millisecond):
	}
	g.shut.Store(false)
	course.beat(second)
	heard(61, course)
	if looked {
		g.answers <- nil
	}
	testbed.Eventually(t, 10*time.Second, "what it heard last stored", func(context.Context) bool { return p.backlog.depth().ticks == 0 })
	expectCount(t, js, 111)
}
