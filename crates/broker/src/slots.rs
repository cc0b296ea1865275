//! Places that are used again, with a generation that tells the new user from the old one.

/// A table of values by slot.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// Puts a value into a free place: its slot and generation.
    pub(crate) fn insert(&mut self, value: T) -> (u32, u32) {
        if let Some(slot) = self.free.pop() {
            let place = &mut self.places[slot as usize];
            place.value = Some(value);
            return (slot, place.generation);
        }
        self.places.push(Place { generation: 0, value: Some(value) });
        ((self.places.len() - 1) as u32, 0)
    }

    /// The value, whoever's it is.
    #[inline]
    pub(crate) fn at(&self, slot: u32) -> Option<&T> {
        self.places.get(slot as usize)?.value.as_ref()
    }

    /// The value, whoever's it is.
    #[inline]
    pub(crate) fn at_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.places.get_mut(slot as usize)?.value.as_mut()
    }

    /// The value, if it is still the one of that generation.
    #[inline]
    pub(crate) fn get(&self, slot: u32, generation: u32) -> Option<&T> {
        self.places.get(slot as usize).filter(|place| place.generation == generation)?.value.as_ref()
    }

    /// The value, if it is still the one of that generation.
    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32, generation: u32) -> Option<&mut T> {
        self.places.get_mut(slot as usize).filter(|place| place.generation == generation)?.value.as_mut()
    }

    /// The generation of a place.
    pub(crate) fn generation(&self, slot: u32) -> u32 {
        self.places.get(slot as usize).map_or(0, |place| place.generation)
    }

    /// Takes the value out and frees the place for the next generation.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<T> {
        let place = self.places.get_mut(slot as usize)?;
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(slot);
        Some(value)
    }

    /// Values in the table.
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Slots in use, in order.
    pub(crate) fn slots(&self) -> Vec<u32> {
        let used = |(slot, place): (usize, &Place<T>)| place.value.is_some().then_some(slot as u32);
        self.places.iter().enumerate().filter_map(used).collect()
    }
}
