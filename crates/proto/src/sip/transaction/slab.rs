//! Values with names that are never mistaken for one another.

/// Values by slot; a slot that is used again has another generation.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    /// Of slots that are new; above all that were given out before.
    first_generation: u32,
}

/// Few enough slots to be taken anew when they are needed: a phone among ten thousand rests most of
/// its life without any transaction.
const FEW: usize = 8;

/// Names one value of a [`Slab`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct SlotId {
    pub(crate) slot: u32,
    generation: u32,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), free: Vec::new(), first_generation: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub(crate) fn insert(&mut self, value: T) -> SlotId {
        match self.free.pop() {
            Some(slot) => {
                let entry = &mut self.entries[slot as usize];
                entry.value = Some(value);
                SlotId { slot, generation: entry.generation }
            }
            None => {
                let generation = self.first_generation;
                self.entries.push(Entry { generation, value: Some(value) });
                SlotId { slot: (self.entries.len() - 1) as u32, generation }
            }
        }
    }

    pub(crate) fn remove(&mut self, id: SlotId) -> Option<T> {
        let entry = self.entries.get_mut(id.slot as usize).filter(|e| e.generation == id.generation)?;
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(id.slot);
        if self.len() == 0 && self.entries.len() <= FEW {
            self.let_go();
        }
        Some(value)
    }

    /// Gives the memory of empty slots back; their old names stay good for nothing.
    fn let_go(&mut self) {
        let highest = self.entries.iter().map(|entry| entry.generation).max();
        self.first_generation = highest.unwrap_or(self.first_generation);
        self.entries = Vec::new();
        self.free = Vec::new();
    }

    pub(crate) fn get(&self, id: SlotId) -> Option<&T> {
        self.entries.get(id.slot as usize).filter(|e| e.generation == id.generation)?.value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: SlotId) -> Option<&mut T> {
        self.entries.get_mut(id.slot as usize).filter(|e| e.generation == id.generation)?.value.as_mut()
    }

    /// The name of whatever stands in `slot` now.
    pub(crate) fn id_at(&self, slot: u32) -> Option<SlotId> {
        let entry = self.entries.get(slot as usize).filter(|e| e.value.is_some())?;
        Some(SlotId { slot, generation: entry.generation })
    }

    /// All values, in the order of their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SlotId, &T)> {
        self.entries.iter().enumerate().filter_map(|(slot, entry)| {
            let id = SlotId { slot: slot as u32, generation: entry.generation };
            Some((id, entry.value.as_ref()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_name_does_not_reach_a_new_value() {
        let mut slab = Slab::new();
        let old = slab.insert('a');
        assert_eq!(slab.remove(old), Some('a'));
        assert_eq!(slab.remove(old), None);
        let new = slab.insert('b');
        assert_eq!((old.slot, slab.id_at(0)), (new.slot, Some(new)));
        assert_eq!((slab.get(old), slab.get(new), slab.len()), (None, Some(&'b'), 1));
        assert_eq!(slab.iter().count(), 1);
    }

    #[test]
    fn a_slab_at_rest_takes_no_memory_and_mistakes_no_name() {
        let mut slab = Slab::new();
        let old: Vec<_> = (0..FEW).map(|value| slab.insert(value)).collect();
        for &id in &old {
            assert!(slab.remove(id).is_some());
        }
        assert_eq!(slab.entries.capacity(), 0);
        let new: Vec<_> = (0..FEW).map(|value| slab.insert(value)).collect();
        assert!(old.iter().all(|id| slab.get(*id).is_none()));
        assert!(new.iter().all(|id| slab.get(*id).is_some()));
    }
}
