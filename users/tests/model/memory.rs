//! Operations that a record has forgotten. It takes too many updates to try every order, so these are single runs.

use crate::backends::{Client, Event, How, Kind, Protocol, World};
use crate::client::{Ask, Fault, Next, Outcome, Program};
use crate::creates::{MINUTE, create_keyed, standing};
use crate::updates::{INITIAL, award, award_keyed, award_keyed_of, updates};
use stateright::Model;
use users::envelope::Envelope;

/// More updates than any record remembers.
const MANY: u64 = 2 * Envelope::REMEMBERED as u64;

/// A user, and clients that have not begun.
struct Scene {
    model: Protocol,
    world: World,
    others: u64,
}

impl Scene {
    fn new(kind: Kind, fault: Option<Fault>, clients: Vec<Program>) -> Self {
        let mut model = Protocol {
            fault,
            crashes: 1,
            ..updates("memory", kind, clients)
        };
        model.instants = &[MINUTE];
        let world = model.init_states().remove(0);
        Self {
            model,
            world,
            others: 0,
        }
    }

    /// Lets other updates come between.
    fn others(&mut self, count: u64) {
        for _ in 0..count {
            self.others += 1;
            let other = award(1000 + self.others);
            assert_eq!(
                self.model.run_alone(&other, &mut self.world, MINUTE),
                Outcome::Done
            );
        }
    }

    /// Runs the client to the point where `is_there` holds of what it asks and of the world. Returns whether it came
    /// there.
    fn run_until(&mut self, is_there: impl Fn(&World, &Ask) -> bool) -> bool {
        while let Client::Running(point, _) = self.world.clients[0] {
            if let Next::Ask(ask) = point.next()
                && is_there(&self.world, ask)
            {
                return true;
            }
            let step = Event::Step(0, How::Well);
            self.world = self.model.next_state(&self.world, step).unwrap();
        }
        false
    }

    fn crash(&mut self) {
        self.world = self.model.next_state(&self.world, Event::Crash(0)).unwrap();
    }

    /// How often anything but the others was applied.
    fn applied(&self) -> u64 {
        let points = standing(&self.world).unwrap().points;
        u64::try_from(points).unwrap() - INITIAL - self.others
    }
}

fn has_points(world: &World, points: u64) -> bool {
    standing(world).is_some_and(|record| record.points == i64::try_from(points).unwrap())
}

/// An update whose swap wrote, and which finds that forgotten when it looks. Returns how it ended, and how often it
/// was applied.
fn forgotten_before_the_look(update: Program, fault: Option<Fault>) -> (Outcome, u64) {
    let mut scene = Scene::new(Kind::Redis, fault, vec![update]);
    assert!(scene.run_until(|world, _| has_points(world, INITIAL + 1)));
    scene.others(MANY);
    scene.run_until(|_, _| false);
    let Client::Ended(outcome) = scene.world.clients[0] else {
        unreachable!()
    };
    (outcome, scene.applied())
}

#[test]
fn an_update_that_cannot_know_whether_it_was_applied_says_so() {
    assert_eq!(
        forgotten_before_the_look(award(0), None),
        (Outcome::Unavailable, 1)
    );
    let blind = forgotten_before_the_look(award(0), Some(Fault::NoLookAtSequence));
    assert_eq!(blind, (Outcome::Done, 2));
}

#[test]
fn an_update_with_a_key_finds_its_note() {
    assert_eq!(forgotten_before_the_look(award_keyed(), None), (Outcome::Done, 1));
    for fault in [Fault::NoNotes, Fault::NoLookForNotes] {
        assert_ne!(
            forgotten_before_the_look(award_keyed(), Some(fault)),
            (Outcome::Done, 1)
        );
    }
}

/// An update under a key that is sent again much later. Returns how the second sending ended, and how often it was
/// applied.
fn again(kind: Kind, second: &Program, fault: Option<Fault>) -> (Outcome, u64) {
    let mut scene = Scene::new(kind, fault, vec![award_keyed()]);
    scene.run_until(|_, _| false);
    scene.others(MANY);
    let outcome = scene.model.run_alone(second, &mut scene.world, MINUTE);
    (outcome, scene.applied())
}

#[test]
fn a_key_counts_for_ever() {
    for kind in Kind::ALL {
        assert_eq!(again(kind, &award_keyed(), None), (Outcome::Done, 1));
        assert_eq!(again(kind, &award_keyed_of("2"), None), (Outcome::KeyReused, 1));
        for fault in [Fault::NoNotes, Fault::NoLookForNotes] {
            assert_eq!(again(kind, &award_keyed(), Some(fault)), (Outcome::Done, 2));
        }
        let other = again(kind, &award_keyed_of("2"), Some(Fault::NoFingerprint));
        assert_eq!(other, (Outcome::Done, 1));
    }
}

/// An update under a key; then one that makes the record forget it, and crashes between its two writes; then the
/// first one again, and once more after many others. Returns how often that was applied.
fn crash_while_forgetting(kind: Kind, fault: Option<Fault>) -> u64 {
    let mut scene = Scene::new(kind, fault, vec![award(0)]);
    // The others are whole.
    scene.model.fault = None;
    assert_eq!(
        scene.model.run_alone(&award_keyed(), &mut scene.world, MINUTE),
        Outcome::Done
    );
    // The record may remember up to so many more; the first that it cannot writes a note.
    let writes_a_note = |scene: &Scene| {
        let (model, world) = (scene.model.clone(), scene.world.clone());
        let mut ahead = Scene {
            model,
            world,
            others: 0,
        };
        ahead.run_until(|_, ask| matches!(ask, Ask::SetAll(_)))
    };
    while !writes_a_note(&scene) {
        scene.others(1);
    }
    let before = scene.applied();
    // The crash comes after the first of the two writes: the note, or if that is late, the record.
    scene.run_until(|_, ask| matches!(ask, Ask::SetAll(_) | Ask::Swap(..)));
    let step = Event::Step(0, How::Well);
    scene.world = scene.model.next_state(&scene.world, step).unwrap();
    let is_written = scene.applied() - before;
    scene.crash();
    for others in [0, MANY] {
        scene.others(others);
        assert_eq!(
            scene.model.run_alone(&award_keyed(), &mut scene.world, MINUTE),
            Outcome::Done
        );
    }
    scene.applied() - is_written
}

#[test]
fn a_crash_between_note_and_record_forgets_nothing() {
    for kind in Kind::ALL {
        assert_eq!(crash_while_forgetting(kind, None), 1);
        assert_eq!(crash_while_forgetting(kind, Some(Fault::LateNotes)), 2);
    }
}

/// A creation under a key, then another user's under the same one, then the first again.
fn key_of_creations(kind: Kind, fault: Option<Fault>) -> [Outcome; 3] {
    let scene = Scene::new(kind, fault, Vec::new());
    let mut world = World::new(Vec::new(), std::collections::BTreeMap::new());
    [0, 1, 0].map(|number| scene.model.run_alone(&create_keyed(number), &mut world, MINUTE))
}

#[test]
fn a_key_is_of_one_creation() {
    use Outcome::{Created, KeyReused, Taken};

    for kind in Kind::ALL {
        assert_eq!(key_of_creations(kind, None), [Created, KeyReused, Created]);
        for fault in [Fault::NoNotes, Fault::NoLookForNotes, Fault::NoFingerprint] {
            assert_eq!(key_of_creations(kind, Some(fault))[1], Taken);
        }
    }
}
