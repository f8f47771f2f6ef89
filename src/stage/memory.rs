//! Memory of its own for each image of a row, at the same addresses: the data, and the stack.
//!
//! Correct means: an image finds what it left itself, whatever others wrote meanwhile; put back, it finds
//! what stood behind its setup; and only parts that some image wrote are ever copied.
//!
//! All images run on the same pages, so that none is luckier with its pages than another. What they wrote
//! is put away when another image takes its turn.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::sys::first_writes::FirstWrites;

/// Parts of a memory by their number, with their bytes.
type Parts<T> = BTreeMap<u32, T>;
/// What parts hold, shared where images hold the same.
pub(super) type Bytes = Parts<Rc<[u8]>>;

/// What a memory holds for each image of a row.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// By image, what stood behind its setup in each part that any image has written, or that differs
    /// between images. All have the same parts.
    behind_setup: Vec<Bytes>,
    /// By image, what it left, where another one has taken its place; else what stood behind its setup.
    left: Vec<Parts<Box<[u8]>>>,
    /// The image whose bytes are in the memory; none where they are put away.
    live: Option<usize>,
}

impl Own {
    /// Of as many images as `behind_setup` has, each with what its setup left in the parts that were
    /// written; parts that all left alike are everybody's. The memory holds the first one's.
    pub(super) fn new(mut behind_setup: Vec<Bytes>) -> Own {
        let first = behind_setup.first().cloned().unwrap_or_default();
        let differs = |(part, bytes): (&u32, &Rc<[u8]>)| {
            let mut all = behind_setup.iter();
            let is_same = all.all(|own| own.get(part).is_some_and(|other| other == bytes));
            (!is_same).then_some(*part)
        };
        let own: Vec<u32> = first.iter().filter_map(differs).collect();
        for parts in &mut behind_setup {
            parts.retain(|part, _| own.binary_search(part).is_ok());
        }
        Own {
            left: behind_setup.iter().map(|_| Parts::new()).collect(),
            behind_setup,
            live: Some(0),
        }
    }

    /// Parts that are the images' own, ascending.
    pub(super) fn parts(&self) -> impl Iterator<Item = u32> + '_ {
        self.behind_setup
            .iter()
            .take(1)
            .flat_map(|parts| parts.keys().copied())
    }

    /// The image whose bytes are in the memory.
    pub(super) fn live(&self) -> Option<usize> {
        self.live
    }

    /// Bytes that the copies of all images take, where each has left its parts.
    pub(super) fn copied_bytes(&self, writes: &FirstWrites) -> usize {
        self.parts().count() * writes.part_bytes() * (self.left.len() + 1)
    }

    /// Takes up the parts that were written for the first time since this was last asked: up to then they
    /// were everybody's.
    pub(super) fn take_up(&mut self, writes: &mut FirstWrites) {
        for part in writes.noted() {
            let before: Rc<[u8]> = writes.before(part).into();
            for parts in &mut self.behind_setup {
                parts.entry(part).or_insert_with(|| before.clone());
            }
        }
    }

    /// Puts an image's bytes into the memory.
    #[inline]
    pub(super) fn bring(&mut self, image: usize, memory: &mut [u8], writes: &mut FirstWrites) {
        if self.live != Some(image) {
            self.exchange(image, memory, writes);
        }
    }

    fn exchange(&mut self, image: usize, memory: &mut [u8], writes: &mut FirstWrites) {
        self.put_away(memory, writes);
        for (part, behind_setup) in &self.behind_setup[image] {
            let bytes = self.left[image]
                .get(part)
                .map_or(&**behind_setup, |left| &**left);
            memory[writes.range(*part)].copy_from_slice(bytes);
        }
        self.live = Some(image);
    }

    /// Keeps what the image at work has left, so that others may use the memory.
    pub(super) fn put_away(&mut self, memory: &mut [u8], writes: &mut FirstWrites) {
        self.take_up(writes);
        let Some(image) = self.live.take() else {
            return;
        };
        for part in self.behind_setup[image].keys() {
            let bytes = &memory[writes.range(*part)];
            match self.left[image].entry(*part) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(bytes.into());
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    entry.get_mut().copy_from_slice(bytes);
                }
            }
        }
    }

    /// Puts an image back to what stood behind its setup.
    pub(super) fn put_back(&mut self, image: usize, memory: &mut [u8], writes: &mut FirstWrites) {
        self.take_up(writes);
        self.left[image].clear();
        if self.live == Some(image) {
            for (part, bytes) in &self.behind_setup[image] {
                memory[writes.range(*part)].copy_from_slice(bytes);
            }
        }
    }
}

/// What a memory held in the parts that were written since it is watched, and how to have it so again.
#[derive(Debug, Default)]
pub(super) struct Changed {
    before: Bytes,
    /// A part of zeros, which many have held.
    zeros: Option<Rc<[u8]>>,
}

impl Changed {
    /// Takes up what was written for the first time since this was last asked.
    pub(super) fn take_up(&mut self, writes: &mut FirstWrites) {
        for part in writes.noted() {
            let before = writes.before(part);
            let known = self.zeros.as_ref().filter(|zeros| ***zeros == *before);
            let bytes = known.cloned().unwrap_or_else(|| before.into());
            if self.zeros.is_none() && bytes.iter().all(|byte| *byte == 0) {
                self.zeros = Some(bytes.clone());
            }
            self.before.insert(part, bytes);
        }
    }

    /// Puts back what stood there.
    pub(super) fn put_back(&self, memory: &mut [u8], writes: &FirstWrites) {
        for (part, bytes) in &self.before {
            memory[writes.range(*part)].copy_from_slice(bytes);
        }
    }

    /// What the written parts hold now; those that hold what they do in `like` share its bytes.
    pub(super) fn now(&self, memory: &[u8], writes: &FirstWrites, like: Option<&Bytes>) -> Bytes {
        let now = |part: &u32| {
            let bytes = &memory[writes.range(*part)];
            let same = like
                .and_then(|like| like.get(part))
                .filter(|like| ***like == *bytes);
            (*part, same.cloned().unwrap_or_else(|| bytes.into()))
        };
        self.before.keys().map(now).collect()
    }

    /// Adds to what each image left the parts that a later one was the first to write, and has the memory
    /// hold what the first image left.
    pub(super) fn complete(&self, images: &mut [Bytes], memory: &mut [u8], writes: &FirstWrites) {
        for (part, bytes) in &self.before {
            for image in &mut *images {
                image.entry(*part).or_insert_with(|| bytes.clone());
            }
        }
        for (part, bytes) in images.first().into_iter().flatten() {
            memory[writes.range(*part)].copy_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::SplitMix64;
    use crate::sys::mapping::{PAGE, Writable};
    use crate::sys::shared::SharedPage;
    use crate::sys::signals;

    const PAGES: usize = 7;
    const IMAGES: usize = 3;

    /// A few words at random places.
    fn scribble(random: &mut SplitMix64, count: u64) -> Vec<(usize, u8)> {
        let place = |random: &mut SplitMix64| random.below((PAGES * PAGE) as u64) as usize;
        (0..count)
            .map(|_| (place(random), random.below(256) as u8))
            .collect()
    }

    fn write(memory: &mut [u8], scribbles: &[(usize, u8)]) {
        for (at, byte) in scribbles {
            memory[*at] = *byte;
        }
    }

    /// The twin has a copy of the whole memory for each image.
    #[test]
    fn each_image_finds_what_it_left_or_what_stood_behind_its_setup() {
        let page = SharedPage::new().expect("maps");
        signals::install(page, 1).expect("installs");
        let mut random = SplitMix64::new(11);
        for round in 0..40 {
            let mut memory = Writable::new(PAGES * PAGE).expect("maps");
            let mut writes = FirstWrites::new(PAGES * PAGE).expect("maps");
            let linked = scribble(&mut random, 50);
            write(memory.bytes(), &linked);
            let at_first = memory.view().to_vec();
            let nothing = std::iter::empty();
            writes.watch(memory.bytes(), nothing).expect("watches");
            let mut changed = Changed::default();
            let mut behind: Vec<Bytes> = Vec::new();
            let mut twins = Vec::new();
            // Every second round all setups do the same.
            let common = scribble(&mut random, 3);
            for _ in 0..IMAGES {
                changed.take_up(&mut writes);
                changed.put_back(memory.bytes(), &writes);
                assert_eq!(memory.view(), at_first);
                let own = scribble(&mut random, 3);
                write(memory.bytes(), if round % 2 == 0 { &common } else { &own });
                changed.take_up(&mut writes);
                behind.push(changed.now(memory.view(), &writes, behind.first()));
                twins.push(memory.view().to_vec());
            }
            changed.complete(&mut behind, memory.bytes(), &writes);
            let mut own = Own::new(behind);
            assert!(round % 2 == 1 || own.parts().count() == 0);
            let parts: Vec<u32> = own.parts().collect();
            writes
                .watch(memory.bytes(), parts.into_iter())
                .expect("watches");
            let (after_setup, mut left) = (twins.clone(), twins);
            for _ in 0..60 {
                let image = random.below(IMAGES as u64) as usize;
                match random.below(8) {
                    0 => {
                        own.put_back(image, memory.bytes(), &mut writes);
                        left[image].clone_from(&after_setup[image]);
                    }
                    1 => own.put_away(memory.bytes(), &mut writes),
                    _ => {
                        own.bring(image, memory.bytes(), &mut writes);
                        assert_eq!(memory.view(), left[image]);
                        let scribbles = scribble(&mut random, 2);
                        write(memory.bytes(), &scribbles);
                        write(&mut left[image], &scribbles);
                    }
                }
            }
            writes.end(memory.bytes()).expect("ends");
        }
    }

    #[test]
    fn what_no_image_writes_is_copied_for_none() {
        let page = SharedPage::new().expect("maps");
        signals::install(page, 1).expect("installs");
        let mut memory = Writable::new(PAGES * PAGE).expect("maps");
        let mut writes = FirstWrites::new(PAGES * PAGE).expect("maps");
        let nothing = std::iter::empty();
        writes.watch(memory.bytes(), nothing).expect("watches");
        let mut own = Own::new(vec![Bytes::new(); IMAGES]);
        memory.bytes()[3 * PAGE + 5] = 7;
        own.bring(1, memory.bytes(), &mut writes);
        assert_eq!(memory.view()[3 * PAGE + 5], 0);
        assert_eq!(own.parts().collect::<Vec<_>>(), [3]);
        own.bring(0, memory.bytes(), &mut writes);
        assert_eq!(memory.view()[3 * PAGE + 5], 7);
        writes.end(memory.bytes()).expect("ends");
    }
}
