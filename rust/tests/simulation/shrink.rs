//! From a plan that fails to a short one: parts are left out as long as it still fails.

use crate::run::Plan;
use mmsb::Propagation;
use mmsb::env::sim::PowerLoss;

/// Runs at most.
const TRIES_MAX: u64 = 3_000;
/// Orders of turns that a shorter plan is tried with: what a part leaves behind when it goes is a
/// different order of all that follows.
const ORDERS: u64 = 4;

/// A shortest plan that fails, of those that leaving out parts leads to; and after how many tries.
pub fn shrink(plan: &Plan, fails: &dyn Fn(&Plan) -> bool) -> (Plan, u64) {
    let mut shrinker = Shrinker { best: plan.clone(), fails, tries: 0 };
    loop {
        let size = shrinker.best.size();
        shrinker.lives();
        shrinker.writers();
        shrinker.kinds();
        shrinker.faults();
        shrinker.operations();
        shrinker.ends();
        if shrinker.best.size() == size || shrinker.tries >= TRIES_MAX {
            return (shrinker.best, shrinker.tries);
        }
    }
}

struct Shrinker<'a> {
    best: Plan,
    fails: &'a dyn Fn(&Plan) -> bool,
    tries: u64,
}

impl Shrinker<'_> {
    /// Whether the plan still fails without something; then it is gone.
    fn without(&mut self, leave_out: impl Fn(&mut Plan)) -> bool {
        let mut shorter = self.best.clone();
        leave_out(&mut shorter);
        if shorter == self.best {
            return false;
        }
        for order in 0..ORDERS {
            if self.tries >= TRIES_MAX {
                return false;
            }
            self.tries += 1;
            shorter.seed = self.best.seed.wrapping_add(order);
            if (self.fails)(&shorter) {
                self.best = shorter;
                return true;
            }
        }
        false
    }

    /// Leaves out stretches of a list that `of` finds, long ones first.
    fn thin<T>(&mut self, of: impl Fn(&mut Plan) -> &mut Vec<T>) {
        let len = |plan: &Plan| of(&mut plan.clone()).len();
        let mut stretch = len(&self.best);
        while stretch > 0 {
            let mut at = 0;
            while at < len(&self.best) {
                let gone = self.without(|plan| {
                    let list = of(plan);
                    list.drain(at..list.len().min(at + stretch));
                });
                at += if gone { 0 } else { stretch };
            }
            stretch /= 2;
        }
    }

    fn lives(&mut self) {
        self.thin(|plan| &mut plan.lives);
    }

    fn writers(&mut self) {
        for life in 0..self.best.lives.len() {
            self.thin(|plan| &mut plan.lives[life].writers);
        }
    }

    fn kinds(&mut self) {
        self.thin(|plan| &mut plan.allowed);
    }

    fn faults(&mut self) {
        for life in 0..self.best.lives.len() {
            self.thin(|plan| &mut plan.lives[life].faults);
        }
    }

    fn operations(&mut self) {
        for life in 0..self.best.lives.len() {
            for writer in 0..self.best.lives[life].writers.len() {
                self.thin(|plan| &mut plan.lives[life].writers[writer]);
            }
        }
    }

    fn ends(&mut self) {
        for life in 0..self.best.lives.len() {
            self.without(|plan| plan.lives[life].end.left = PowerLoss::KeepAll);
            self.without(|plan| plan.lives[life].end.closed = false);
            self.without(|plan| plan.lives[life].mode = Propagation::Immediate);
            self.without(|plan| plan.lives[life].sealed = false);
        }
        self.without(|plan| plan.setup.private = false);
    }
}

#[test]
fn what_a_failure_does_not_need_is_left_out() {
    use crate::faults::Kind;
    use crate::workload::Op;
    // Two operations of one writer, in this order, in a life with a stall, and a life after it.
    let fails = |plan: &Plan| {
        let lives = plan.lives.iter().enumerate();
        let mut ops = lives.filter(|(_, life)| life.faults.iter().any(|f| f.kind == Kind::Stall));
        ops.any(|(at, life)| {
            at + 1 < plan.lives.len()
                && life.writers.iter().any(|ops| {
                    let place = |wanted| ops.iter().position(|op: &Op| op.operation == wanted);
                    place(3).is_some_and(|first| place(9).is_some_and(|second| first < second))
                })
        })
    };
    let plans = (0..).map(|seed| Plan::draw(seed, Kind::ALL)).filter(fails);
    for plan in plans.take(20) {
        let (short, tries) = shrink(&plan, &fails);
        assert!(fails(&short) && tries < TRIES_MAX);
        assert_eq!((short.lives.len(), short.size()), (2, 2 + 1 + 1 + 2), "{short:?}");
    }
}
