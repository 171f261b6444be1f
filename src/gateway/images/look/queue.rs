//! Who waits for which image: each is looked through once for all, for as long as somebody waits for it, a few at a
//! time, and one for each user. What nobody asked for goes on only while no user waits.
//!
//! A look ends with the last that waits for it: the caller's connection, or the container that is removed. Two looks
//! are under way at once for users, one for each user.

use super::Looks;
use super::seen::Seen;
use crate::gateway::bounds::permits::Permits;
use crate::gateway::engine::ImageId;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};

/// Images looked through at once for users.
const AT_ONCE: u32 = 2;

/// Who wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    User(u32),
    /// So that no user waits later.
    Nobody,
}

type Look = BoxFuture<'static, Result<Arc<Seen>, String>>;
/// How many users wait for which image.
type Asked = HashMap<ImageId, usize>;

pub(super) struct LookQueue {
    /// Gone when the last of those who wait for it is: then what was under way has ended too.
    under_way: Mutex<HashMap<ImageId, WeakShared<Look>>>,
    permits: Semaphore,
    /// Who has many images is not in front of others with one.
    mine: Permits,
    asked: watch::Sender<Asked>,
}

impl std::fmt::Debug for LookQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LookQueue")
            .field("permits", &self.permits)
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}

impl Default for LookQueue {
    fn default() -> Self {
        let permits = Semaphore::new(usize::try_from(AT_ONCE).unwrap_or(1));
        let mine = Permits::new(1);
        Self { under_way: Mutex::default(), permits, mine, asked: watch::Sender::default() }
    }
}

/// A user's interest, for as long as it lasts.
pub(super) struct Interest<'l> {
    queue: &'l LookQueue,
    image: ImageId,
    _mine: Option<OwnedSemaphorePermit>,
}

impl Drop for Interest<'_> {
    fn drop(&mut self) {
        self.queue.asked.send_modify(|asked| {
            if let Some(count) = asked.get_mut(&self.image) {
                *count -= 1;
                if *count == 0 {
                    asked.remove(&self.image);
                }
            }
        });
    }
}

impl LookQueue {
    /// Waits behind the same user's other images.
    pub(super) async fn enter(&self, image: &ImageId, who: Who) -> Option<Interest<'_>> {
        let Who::User(uid) = who else { return None };
        // Never closed.
        let mine = self.mine.of(uid).acquire_owned().await.ok();
        self.asked.send_modify(|asked| *asked.entry(image.clone()).or_default() += 1);
        Some(Interest { queue: self, image: image.clone(), _mine: mine })
    }

    /// The look that is under way, or a new one. It is given up when all who have it have dropped it.
    pub(super) fn join(
        &self,
        looks: &Arc<Looks>,
        image: &ImageId,
        layers: &[String],
        who: Who,
    ) -> Shared<Look> {
        let begin = || super::look(looks.clone(), image.clone(), layers.to_vec(), who).boxed().shared();
        self.join_or(image, begin)
    }

    fn join_or(&self, image: &ImageId, begin: impl FnOnce() -> Shared<Look>) -> Shared<Look> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|_, look| look.upgrade().is_some_and(|look| look.peek().is_none()));
        if let Some(look) = under_way.get(image).and_then(WeakShared::upgrade) {
            return look;
        }
        let look = begin();
        under_way.extend(look.downgrade().map(|weak| (image.clone(), weak)));
        look
    }

    /// A permit among the few, or all of them. What nobody asked for has one of its own, as there is one of it at a time.
    pub(super) async fn permit(&self, who: Who, alone: bool) -> Option<SemaphorePermit<'_>> {
        let all = if alone { AT_ONCE } else { 1 };
        match who {
            Who::User(_) => self.permits.acquire_many(all).await.ok(),
            Who::Nobody => None,
        }
    }

    /// Waits, with what nobody asked for, while users wait for other images and none for this one.
    pub(super) async fn turn(&self, image: &ImageId, who: Who) {
        if who == Who::Nobody {
            let mut asked = self.asked.subscribe();
            let _open = asked.wait_for(|asked| asked.is_empty() || asked.contains_key(image)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::images::look::links::Links;
    use std::time::Duration;

    fn image(digit: char) -> ImageId {
        ImageId::parse(&format!("sha256:{}", digit.to_string().repeat(64))).unwrap()
    }

    /// One that holds `sign` for as long as it is under way, and never ends.
    fn endless(sign: &Arc<()>) -> Shared<Look> {
        let sign = sign.clone();
        async move {
            std::future::pending::<()>().await;
            drop(sign);
            Ok(Arc::new(Seen::clean(&[], 0, Links::default())))
        }
        .boxed()
        .shared()
    }

    #[tokio::test]
    async fn a_look_ends_with_the_last_who_waits_for_it() {
        let (queue, sign) = (LookQueue::default(), Arc::new(()));
        let one = queue.join_or(&image('a'), || endless(&sign));
        let two = queue.join_or(&image('a'), || panic!("a second look"));
        let tried = tokio::time::timeout(Duration::from_millis(1), one).await;
        assert!(tried.is_err() && Arc::strong_count(&sign) == 2);
        drop(two);
        assert_eq!(Arc::strong_count(&sign), 1);
        let again = queue.join_or(&image('a'), || endless(&sign));
        assert_eq!(Arc::strong_count(&sign), 2);
        drop(again);
    }

    #[tokio::test]
    async fn a_user_waits_behind_the_own_other_images_alone() {
        let queue = LookQueue::default();
        let within = |image, who| tokio::time::timeout(Duration::from_millis(20), queue.enter(image, who));
        let (a, b) = (image('a'), image('b'));
        let first = within(&a, Who::User(1)).await.unwrap();
        assert!(within(&b, Who::User(1)).await.is_err());
        assert!(within(&b, Who::User(2)).await.is_ok());
        drop(first);
        assert!(within(&b, Who::User(1)).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_looked_through_alone_has_no_others_beside_it() {
        let queue = LookQueue::default();
        let within = |who, alone| tokio::time::timeout(Duration::from_millis(20), queue.permit(who, alone));
        let other = within(Who::User(1), false).await.unwrap();
        assert!(within(Who::User(2), true).await.is_err());
        drop(other);
        let alone = within(Who::User(2), true).await.unwrap();
        assert!(alone.is_some() && within(Who::User(1), false).await.is_err());
        drop(alone);
        assert!(within(Who::User(1), false).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn what_nobody_asked_for_goes_on_while_no_user_waits_for_another_one() {
        let queue = LookQueue::default();
        let (a, b) = (image('a'), image('b'));
        let turn = |image| tokio::time::timeout(Duration::from_millis(20), queue.turn(image, Who::Nobody));
        assert!(turn(&a).await.is_ok());
        let interest = queue.enter(&b, Who::User(1)).await;
        assert!(turn(&a).await.is_err() && turn(&b).await.is_ok());
        drop(interest);
        assert!(turn(&a).await.is_ok());
    }
}
