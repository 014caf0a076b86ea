package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/pipeline/stream"
)

// followInterval is how often a bridge on standby looks how far the leader is.
const followInterval = 250 * time.Millisecond

// runChannel stores what a channel said while this bridge leads. While another
// does, it keeps what the other has not stored yet: all bridges hear the same.
func (p *publisher) runChannel(ctx context.Context) error {
	for {
		err := p.lead(ctx)
		if !errors.Is(err, errYielded) {
			return err
		}
		p.backlog.giveBack()
		if p.backlog.depth().ticks > 0 {
			p.unreconciled, p.unreconciledTo = true, p.names.heardLast()
		}
		over, err := p.follow(ctx)
		if over || err != nil {
			return err
		}
	}
}

// lead waits for the lease and then stores until the backlog is closed and empty,
// or another leads (errYielded).
func (p *publisher) lead(ctx context.Context) error {
	b := &p.taken
	var err error
	if b.term, err = p.turn.awaitLead(ctx); err != nil {
		return err
	}
	if err := p.admit(ctx, b.term); err != nil {
		return err
	}
	if err := p.appender.endPredecessor(ctx); err != nil {
		return err
	}
	if err := p.lookAround(ctx, b); err != nil {
		return err
	}
	p.unreconciled = false
	p.backlog.bePatient(leadersPatience)
	if !p.succeeded && !p.names.isLive(b.known.last) {
		// Nothing is stored that this bridge heard. One that was there before it
		// has what came since the last that is.
		if !p.deferred && p.covered(ctx, p.names.subscription) {
			p.deferred = true
			p.turn.resign()
			p.log.Info("another bridge listened before this one, letting it lead")
			return errYielded
		}
		p.listened(ctx)
	}
	p.succeeded = true
	for {
		done, err := p.fetch(ctx, b)
		if done || err != nil {
			return err
		}
		if err := p.admit(ctx, b.term); err != nil {
			return err
		}
		if b.placedSince() {
			p.backlog.giveBack()
			if err := p.lookAround(ctx, b); err != nil {
				return err
			}
			continue
		}
		if len(b.all) > 0 && !b.unsure(&b.all[0]) {
			b.known = nil
		}
		if err := p.handle(ctx, b); err != nil {
			return err
		}
		p.done(b)
		if p.appender.overtaken { // the lease went to another and came back
			if err := p.lookAround(ctx, b); err != nil {
				return err
			}
		}
	}
}

// lookAround finds out what of the backlog is stored already, once nothing more
// of it can come of a batch that another bridge began.
func (p *publisher) lookAround(ctx context.Context, b *batch) (err error) {
	b.shared = true
	for waited := int64(-1); ; { // with that beat the last that was heard
		// One that leads by now begins batch after batch, and is to be left alone.
		if err := p.admit(ctx, b.term); err != nil {
			return err
		}
		b.upTo = p.names.heardLast()
		if b.behind, b.known, err = p.surveyBacklog(ctx); err != nil {
			return err
		}
		if id := b.known.foreign; id != "" && waited != int64(b.upTo.beat) {
			waited = int64(b.upTo.beat)
			p.awaitBeat(ctx, id)
			continue
		}
		begun := b.known.batch
		if begun == "" || begun == p.appender.ended {
			break
		}
		if err := p.appender.endAnother(ctx, func(context.Context) (string, error) { return begun, nil }); err != nil {
			return err
		}
	}
	if b.known.last.after(b.upTo) {
		b.upTo = b.known.last // another heard, and stored, what is yet to be heard here
	}
	p.appender.last, p.appender.copies, p.appender.overtaken = b.known.end, b.known.copies, false
	return nil
}

// awaitBeat waits until this bridge can place an id: another stored it, and this
// one may only be behind in hearing the beat that it counts from, or where the
// other heard the first of its own. What came before it was subscribed it cannot
// place, and does not wait for long.
func (p *publisher) awaitBeat(ctx context.Context, id string) {
	deadline, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	poll := time.NewTicker(coverPoll)
	defer poll.Stop()
	for p.names.locate(id) == (position{}) {
		select {
		case <-deadline.Done():
			return
		case <-poll.C:
		}
	}
}

// surveyBacklog looks which of the backlog are in TICKS, all of it behind a place.
func (p *publisher) surveyBacklog(ctx context.Context) (behind place, known *survey, err error) {
	oldest, behind := p.backlog.begins()
	if oldest.IsZero() {
		oldest = time.Now()
	}
	known, err = p.survey(ctx, behind, oldest)
	return behind, known, err
}

// handleGap has a gap published, at its place behind all that was heard before
// it. Where another bridge heard what this one missed, or more of it, that one is
// to lead: it has a gap of its own to tell of, or none.
func (p *publisher) handleGap(ctx context.Context, b *batch, at int) error {
	gap := b.all[at].gap
	if !p.yieldedAt.Equal(gap.From) && p.covered(ctx, func() uint32 { return b.all[at].at.beat }) {
		if err := p.store(ctx, b, b.all[0].receivedAt, true); err != nil {
			return err
		}
		p.yieldedAt = gap.From
		p.turn.resign()
		p.log.Info("another bridge heard what this one missed, letting it lead", "from", gap.From, "to", gap.To)
		p.backlog.settle(at, p.place(b))
		return errYielded
	}
	p.report(*gap)
	return nil
}

// follow keeps the backlog to what the leader has not stored, until this bridge
// may lead. It returns over when the backlog is closed.
func (p *publisher) follow(ctx context.Context) (over bool, err error) {
	p.backlog.bePatient(standbysPatience)
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	for {
		standing, _, changed := p.turn.now()
		switch {
		case standing == leading:
			return false, nil
		case p.backlog.isClosed():
			return true, nil
		case standing == standby:
			if err := p.catchUp(ctx); err != nil && ctx.Err() == nil {
				p.log.Debug("cannot tell what the leader has stored", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("follow the leader: %w", ctx.Err())
		case <-changed:
		case <-ticker.C:
		}
	}
}

// catchUp lets go of what the leader has stored.
func (p *publisher) catchUp(ctx context.Context) error {
	connected, cancel := whileConnected(ctx, p.appender.js.Conn())
	defer cancel()
	last, at, err := p.lastStored(connected)
	if err != nil || last == (position{}) {
		return err
	}
	if p.unreconciled {
		return p.reconcile(connected, last)
	}
	p.succeeded = p.succeeded || p.names.isLive(last)
	for {
		batch, _ := p.backlog.takeNow(p.taken.all[:0], maxBatch)
		if len(batch) == 0 {
			return nil
		}
		p.taken.all = batch
		n := 0
		for n < len(batch) && !batch[n].at.after(last) {
			n++
		}
		p.backlog.settle(n, at)
		p.backlog.giveBack()
		clear(batch)
		if n < len(batch) {
			return nil
		}
	}
}

// lookBack is how many messages from the end of TICKS are looked at for one that
// this bridge heard as well; others may write there too.
const lookBack = 8

// lastStored is the last message of TICKS that this bridge knows, and where it is.
// What was stored late says nothing of what is stored before it.
func (p *publisher) lastStored(ctx context.Context) (position, place, error) {
	info, err := streamInfo(ctx, p.appender.js, stream.Ticks, p.cfg.PublishTimeout)
	if err != nil {
		return position{}, place{}, err
	}
	for seq := info.State.LastSeq; seq >= max(info.State.FirstSeq, 1) && info.State.LastSeq-seq < lookBack; seq-- {
		msg, err := stream.AtLeader(ctx, p.appender.js, stream.Ticks, stream.Place{Seq: seq, Next: stream.Anything})
		if err != nil {
			return position{}, place{}, err
		}
		id := idOf(msg.Header)
		if at := p.names.locate(id); at != (position{}) && msg.Header.Get(lateHeader) == "" {
			return at, place{created: info.Created, seq: seq, id: id}, nil
		}
	}
	return position{}, place{}, nil
}

// reconcile stores what only this bridge heard, as when it spooled through an
// outage during which the one that leads now came up. It waits until the leader
// has stored something newer, and so all of that age that it heard itself: then
// the two do not store the same, whatever their clocks say.
func (p *publisher) reconcile(ctx context.Context, stored position) error {
	if !stored.after(p.unreconciledTo) {
		return nil
	}
	behind, known, err := p.surveyBacklog(ctx)
	if err != nil {
		return err
	}
	b := batch{term: anyTerm, shared: true, upTo: p.unreconciledTo, known: known, behind: behind}
	for {
		p.appender.last, p.appender.copies, p.appender.overtaken = known.end, known.copies, false
		all, _ := p.backlog.takeNow(p.taken.all[:0], maxBatch)
		n := 0
		for n < len(all) && b.unsure(&all[n]) && !all[n].at.after(known.last) {
			n++
		}
		if n == 0 {
			// Not behind the end of the survey: what was heard later, and is in the
			// backlog yet, may be stored before that.
			p.backlog.giveBack()
			p.unreconciled = false
			return nil
		}
		p.taken.all, b.all = all, withoutMarks(all[:n])
		before := p.stored.Load()
		if err := p.handle(ctx, &b); err != nil {
			p.backlog.giveBack()
			return err
		}
		if own := p.stored.Load() - before; own > 0 {
			p.log.Info("stored ticks that only this bridge had", "ticks", own)
		}
		p.backlog.settle(n, p.place(&b))
		p.backlog.giveBack()
		// A third bridge may do the same at the same time.
		if err := p.surveyOn(ctx, known); err != nil {
			return err
		}
	}
}

// withoutMarks are the ticks of a batch: clock marks and gaps are the leader's.
func withoutMarks(all []message) []message {
	var ticks []message
	for i := range all {
		if all[i].isTick() {
			ticks = append(ticks, all[i])
		}
	}
	return ticks
}
