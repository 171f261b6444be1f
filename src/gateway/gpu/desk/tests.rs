//! The desk, by hand: who is given what, for how long.

use super::*;
use crate::gateway::gpu::allocate::tests::{card, holder, id};

fn taken(refused: Result<Claim, Refused>) -> (Vec<Holder>, usize, usize) {
    match refused.map(drop).unwrap_err() {
        Refused { why: Denied::Taken(holders), promised, before } => (holders, promised, before),
        refused => panic!("{refused:?}"),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn container(digit: char) -> ContainerId {
    ContainerId::parse(&digit.to_string().repeat(64)).unwrap()
}

const ANN: Asker<'_> = Asker { uid: 1, login: "ann" };
const BOB: Asker<'_> = Asker { uid: 2, login: "bob" };

#[test]
fn a_claim_that_comes_to_nothing_frees_its_cards() {
    let (desk, cards) = (Desk::default(), [card(0, 1)]);
    let scene = Scene { cards: &cards, leased: &[], now: at(0) };
    let claim = desk.claim(scene, ANN, &Wanted::Some(1)).unwrap();
    assert_eq!(taken(desk.claim(scene, BOB, &Wanted::Some(1))).0[0].login, "ann");
    drop(claim);
    assert!(desk.claim(scene, BOB, &Wanted::Some(1)).is_ok());
}

#[test]
fn a_container_keeps_its_cards_for_a_moment_and_starts_with_them() {
    let (desk, cards) = (Desk::default(), [card(0, 1)]);
    let scene = |now| Scene { cards: &cards, leased: &[], now: at(now) };
    desk.claim(scene(0), ANN, &Wanted::Some(1)).unwrap().for_container(&container('a'), "train", at(0));
    let (holders, ..) = taken(desk.claim(scene(10), BOB, &Wanted::Some(1)));
    assert_eq!((holders[0].login.as_str(), holders[0].container.as_str()), ("ann", "train"));
    desk.reclaim(scene(20), ANN, &container('a'), &[id(0)]).unwrap();
    // Never started: after a moment it is anybody's, and then not the container's any more.
    desk.claim(scene(30), ANN, &Wanted::Some(1)).unwrap().for_container(&container('b'), "late", at(30));
    let bobs = desk.claim(scene(91), BOB, &Wanted::Some(1)).unwrap();
    assert!(desk.reclaim(scene(92), ANN, &container('b'), &[id(0)]).is_err());
    drop(bobs);
    assert!(desk.reclaim(scene(93), ANN, &container('b'), &[id(0)]).is_ok());
}

#[test]
fn who_does_not_wait_does_not_jump_the_line() {
    let (desk, cards) = (Desk::default(), [card(0, 1), card(1, 1)]);
    let busy = [Holder { until: Some(at(9)), ..holder(9, &[id(0)]) }];
    let scene = |leased| Scene { cards: &cards, leased, now: at(0) };
    let ticket = desk.join(ANN, Wanted::Some(2), None).unwrap();
    // Who waits is a number, and the container of somebody else has a name.
    let (holders, promised, before) = taken(desk.claim(scene(&busy), BOB, &Wanted::Some(1)));
    assert_eq!((holders, promised, before), (busy.to_vec(), 1, 1));
    assert!(!desk.serve(scene(&busy)));
    assert_eq!(desk.stands(ticket, scene(&busy)), Standing::Waits(0));
    // Also when nobody has looked at the line yet since the card came free.
    assert_eq!(taken(desk.claim(scene(&[]), BOB, &Wanted::Some(1))), (vec![], 2, 0));
    assert!(desk.serve(scene(&[])));
    assert_eq!(desk.stands(ticket, scene(&[])), Standing::Given(vec![id(0), id(1)]));
    assert_eq!(desk.claim(scene(&[]), ANN, &Wanted::Some(2)).unwrap().cards(), [id(0), id(1)]);
    assert_eq!(desk.stands(ticket, scene(&[])), Standing::Gone);
}

#[test]
fn what_was_given_and_is_not_used_is_given_on() {
    let (desk, cards) = (Desk::default(), [card(0, 1)]);
    let scene = |now| Scene { cards: &cards, leased: &[], now: at(now) };
    let (first, second) =
        (desk.join(ANN, Wanted::Some(1), None).unwrap(), desk.join(BOB, Wanted::Some(1), None).unwrap());
    let stand = |now| (desk.stands(first, scene(now)), desk.stands(second, scene(now)));
    desk.serve(scene(0));
    assert_eq!(stand(0), (Standing::Given(vec![id(0)]), Standing::Waits(0)));
    desk.serve(scene(61));
    assert_eq!(stand(61), (Standing::Gone, Standing::Given(vec![id(0)])));
    assert!(desk.claim(scene(62), ANN, &Wanted::Some(1)).is_err());
    assert!(desk.claim(scene(62), BOB, &Wanted::Some(1)).is_ok());
}

#[test]
fn turns_that_nobody_uses_renew_nothing() {
    let (desk, cards) = (Desk::default(), [card(0, 1)]);
    let scene = |now| Scene { cards: &cards, leased: &[], now: at(now) };
    let join = |asker| desk.join(asker, Wanted::Some(1), Some(1)).unwrap();
    let given = |ticket, now| matches!(desk.stands(ticket, scene(now)), Standing::Given(_));
    let first = join(ANN);
    desk.serve(scene(0));
    let (second, bobs) = (join(ANN), join(BOB));
    assert_eq!((given(first, 0), desk.stands(second, scene(0))), (true, Standing::HasEnough));
    // Whoever hangs up has had the turn as well as who lets it pass.
    desk.leave(first, at(10));
    desk.serve(scene(10));
    assert!(given(bobs, 10) && !given(second, 10));
    let third = join(ANN);
    desk.serve(scene(70));
    assert!(given(second, 70) && !given(third, 70));
    let bobs = join(BOB);
    desk.serve(scene(130));
    assert!(given(bobs, 130) && !given(third, 130));
    // All of it counts.
    desk.leave(bobs, at(140));
    let spells: Vec<_> = desk.spells(at(140)).into_iter().map(|spell| (spell.uid, spell.ended)).collect();
    assert_eq!(spells, [(1, at(10)), (2, at(70)), (1, at(130)), (2, at(140))]);
}

#[test]
fn what_is_kept_counts_until_the_lease_does() {
    let (desk, cards) = (Desk::default(), [card(0, 1), card(1, 1)]);
    let scene = |now| Scene { cards: &cards, leased: &[], now: at(now) };
    desk.join(ANN, Wanted::Some(2), None).unwrap();
    desk.serve(scene(0));
    // Given in line, claimed by a create, kept for its container, started.
    let claim = desk.claim(scene(5), ANN, &Wanted::Some(2)).unwrap();
    claim.for_container(&container('a'), "train", at(6));
    assert_eq!(desk.spells(at(6)), []);
    desk.reclaim(scene(20), ANN, &container('a'), &[id(0), id(1)]).unwrap();
    let spell = |since, ended| Spell { uid: 1, cards: 2, since: at(since), ended: at(ended), lease: None };
    assert_eq!(desk.spells(at(20)), [spell(0, 20)]);
    // Never started, and gone.
    for (digit, gone) in [('b', None), ('c', Some(150))] {
        let begun = if digit == 'b' { 30 } else { 140 };
        let claim = desk.claim(scene(begun), ANN, &Wanted::Some(2)).unwrap();
        claim.for_container(&container(digit), "never", at(begun));
        if let Some(gone) = gone {
            desk.forget(&container(digit), at(gone));
        }
    }
    assert_eq!(desk.spells(at(200)), [spell(30, 90), spell(140, 150)]);
}

#[test]
fn nobody_fills_the_line_alone() {
    let desk = Desk::default();
    for _ in 0..MOST_TICKETS {
        desk.join(ANN, Wanted::Some(1), None).unwrap();
    }
    assert!(desk.join(ANN, Wanted::Some(1), None).unwrap_err().to_string().contains('8'));
    assert!(desk.join(BOB, Wanted::Some(1), None).is_ok());
}

#[test]
fn what_is_kept_and_not_used_counts() {
    let (desk, cards) = (Desk::default(), [card(0, 1), card(1, 1), card(2, 1)]);
    let scene = |now| Scene { cards: &cards, leased: &[], now: at(now) };
    let one = Wanted::Some(1);
    let kept = |by: Option<&ContainerId>, now| desk.kept(1, &one, by, at(now));
    let claim = desk.claim(scene(0), ANN, &one).unwrap();
    assert_eq!(kept(None, 0), [("a create under way".to_owned(), 1)]);
    claim.for_container(&container('a'), "train", at(0));
    assert_eq!(kept(None, 1), [("train".to_owned(), 1)]);
    // Its own start uses them up, and nobody else's matter.
    assert_eq!(kept(Some(&container('a')), 1), []);
    assert_eq!(desk.kept(2, &one, None, at(1)), []);
    // What the line gave serves one wish: the second one finds it taken.
    desk.join(ANN, Wanted::Some(1), None).unwrap();
    desk.serve(scene(1));
    assert_eq!(kept(None, 2), [("train".to_owned(), 1)]);
    assert_eq!(desk.kept(1, &Wanted::Some(2), Some(&container('a')), at(2)), [("a place in line".into(), 1)]);
    assert_eq!(kept(None, 62), []);
}

#[test]
fn who_has_enough_waits_for_their_own() {
    let (desk, cards) = (Desk::default(), [card(0, 1), card(1, 1)]);
    let scene = |leased| Scene { cards: &cards, leased, now: at(0) };
    let anns = [holder(1, &[id(0)])];
    let (first, second) = (
        desk.join(ANN, Wanted::Some(1), Some(1)).unwrap(),
        desk.join(BOB, Wanted::Some(1), Some(1)).unwrap(),
    );
    assert_eq!(desk.stands(first, scene(&anns)), Standing::HasEnough);
    assert!(desk.serve(scene(&anns)));
    assert_eq!(desk.stands(second, scene(&anns)), Standing::Given(vec![id(1)]));
    assert_eq!(desk.stands(first, scene(&anns)), Standing::HasEnough);
    // Nor is anything kept for them meanwhile.
    desk.leave(second, at(0));
    assert!(desk.claim(scene(&anns), BOB, &Wanted::Some(1)).is_ok());
    assert!(desk.serve(scene(&[])));
    assert!(matches!(desk.stands(first, scene(&[])), Standing::Given(_)));
}
