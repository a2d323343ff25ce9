//! Values with names that are never mistaken for one another.

/// Values by slot; a slot that is used again has another generation.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

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
        Self { entries: Vec::new(), free: Vec::new() }
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
                self.entries.push(Entry { generation: 0, value: Some(value) });
                SlotId { slot: (self.entries.len() - 1) as u32, generation: 0 }
            }
        }
    }

    pub(crate) fn remove(&mut self, id: SlotId) -> Option<T> {
        let entry = self.entries.get_mut(id.slot as usize).filter(|e| e.generation == id.generation)?;
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(id.slot);
        Some(value)
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
}
