package bridge

import (
	"testing"
	"time"
)

// Two bridges name what both hear alike, wherever each of them began to listen.
func TestBridgesNameMessagesAlike(t *testing.T) {
	type bridge struct {
		names *alignment
		heard []message
		course
	}
	listen := func() *bridge {
		b := &bridge{names: newAlignment()}
		b.course = *newCourse(b.names, memoryBacklog(1<<30))
		return b
	}
	drain := func(b *bridge) {
		batch, _ := b.into.takeNow(nil, 1000)
		b.heard = append(b.heard, batch...)
		settle(t, b.into, len(batch))
	}
	one, two := listen(), listen()
	beats := []string{newBeatName(), newBeatName(), newBeatName()}
	say := func(payload string, to ...*bridge) {
		for _, b := range to {
			b.add(message{payload: payload})
			drain(b)
		}
	}
	beat := func(name string, to ...*bridge) {
		for _, b := range to {
			b.beat(name)
			drain(b)
		}
	}
	say("a", one)
	beat(beats[0], one)
	say("same", one)
	say("same", one)
	say("same", one, two) // the second has begun to listen
	say("same", one, two)
	beat(beats[1], one, two)
	say("same", one, two)
	beat(beats[2], one, two)
	say("b", one, two)
	if len(one.heard) != 7 || len(two.heard) != 4 {
		t.Fatalf("heard %d and %d", len(one.heard), len(two.heard))
	}
	seen := map[string]bool{}
	for i := range one.heard {
		id := one.names.id(one.heard[i].at)
		if id == "" || seen[id] {
			t.Errorf("message %d of the first is %q", i, id)
		}
		seen[id] = true
	}
	for i := range two.heard {
		id := two.names.id(two.heard[i].at)
		if at := one.names.locate(id); at != one.heard[i+3].at {
			t.Errorf("message %d of the second is %q, which the first places at %v, not %v", i, id, at, one.heard[i+3].at)
		}
		if i < 2 {
			continue
		}
		// What both heard behind a beat that both heard.
		if id != one.names.id(one.heard[i+3].at) {
			t.Errorf("message %d of the second is %q", i, id)
		}
	}
}

// What a bridge hears before its first beat it finds again under the names that
// another gave, which counts from a beat before: one that the bridge never heard,
// or one of its subscription before, of which it missed the end.
func TestNamesOfOthersAreFoundByLinks(t *testing.T) {
	for _, known := range []bool{false, true} {
		other, newcomer := newAlignment(), newAlignment()
		all, late := newCourse(other, memoryBacklog(1<<30)), newCourse(newcomer, memoryBacklog(1<<30))
		before, first := newBeatName(), newBeatName()
		all.beat(before)
		heardBoth := 0
		if known {
			earlier := newCourse(newcomer, memoryBacklog(1<<30))
			earlier.beat(before)
			for range 2 {
				all.add(message{payload: "same"})
				earlier.add(message{payload: "same"})
				heardBoth++
			}
			earlier.end()
		}
		all.add(message{payload: "missed"})
		for range 3 {
			all.add(message{payload: "same"})
			late.add(message{payload: "same"})
		}
		all.beat(first)
		late.beat(first)
		link := <-all.links
		if newcomer.joined(newcomer.subscription()) || other.joined(other.subscription()) {
			t.Error("joined, and nobody has said so")
		}
		late.beat(link)
		if !newcomer.joined(newcomer.names[first]) || newcomer.subscription() != newcomer.names[first] {
			t.Error("not joined")
		}
		mine, _ := late.into.takeNow(nil, 10)
		if len(mine) != 3 {
			t.Fatalf("%d messages", len(mine))
		}
		theirs, _ := all.into.takeNow(nil, 10)
		for i, m := range theirs {
			at := newcomer.locate(other.id(m.at))
			switch {
			case i < heardBoth:
				if want := (position{beat: newcomer.names[before], n: int32(i + 1)}); at != want {
					t.Errorf("message %d of before is placed at %v, want %v", i, at, want)
				}
			case i == heardBoth:
				if at != (position{}) {
					t.Errorf("what was missed is placed at %v", at)
				}
			default:
				if want := mine[i-heardBoth-1].at; at != want {
					t.Errorf("message %d is placed at %v, want %v", i, at, want)
				}
				if own := newcomer.own(other.id(m.at)); own != newcomer.id(mine[i-heardBoth-1].at) {
					t.Errorf("message %d is %q here", i, own)
				}
			}
		}
	}
}

// Of two that subscribe with the same beat it is known which was there first.
func TestWhoListenedFirstIsKnown(t *testing.T) {
	one, two := newAlignment(), newAlignment()
	early, late := newCourse(one, memoryBacklog(1<<30)), newCourse(two, memoryBacklog(1<<30))
	for range 3 {
		early.add(message{payload: "same"})
	}
	late.add(message{payload: "same"})
	early.add(message{payload: "same"})
	name := newBeatName()
	early.beat(name)
	late.beat(name)
	for _, link := range []string{<-early.links, <-late.links} {
		early.beat(link)
		late.beat(link)
	}
	if one.joined(one.subscription()) || !two.joined(two.subscription()) {
		t.Errorf("the first joined: %v; the second: %v", one.joined(one.subscription()), two.joined(two.subscription()))
	}
}

func TestIDsOfOthersAreNotPlaced(t *testing.T) {
	names := newAlignment()
	known := newBeatName()
	names.heard(known, -1)
	for _, id := range []string{"", ".", "first.12", known, known + "x", known + ".", known + ".zzzzzzzzzz", newBeatName() + ".1", "1732000000000-0", known + "!1"} {
		if at := names.locate(id); at != (position{}) {
			t.Errorf("%q is placed at %v", id, at)
		}
	}
	at := position{beat: 1, n: 36}
	if id := names.id(at); id != known+".10" || names.locate(id) != at || isMarkID(id) {
		t.Errorf("id = %q", id)
	}
	if id := markID(names.id(at), time.UnixMilli(36), 3); names.locate(id) != at || !isMarkID(id) {
		t.Errorf("mark's id = %q", id)
	}
}
