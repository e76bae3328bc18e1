//! The part of a run that one of several processes does.

/// A part of all units: those whose number, divided by `of`, leaves `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// I, from 0 to N − 1.
    pub index: usize,
    /// N.
    pub of: usize,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}`: expected I/N, with I from 0 to N − 1, as 0/4");
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        let shard = Self {
            index: index.trim().parse().map_err(|_| wrong())?,
            of: of.trim().parse().map_err(|_| wrong())?,
        };
        if shard.index < shard.of { Ok(shard) } else { Err(wrong()) }
    }
}

impl Shard {
    /// The part that a task of a Slurm array should do, by its environment; nothing outside of one.
    ///
    /// # Errors
    /// The variables are there and are no numbers.
    pub fn of_slurm(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let number = |name: &str| match variable(name) {
            None => Ok(None),
            Some(text) => match text.trim().parse::<usize>() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(format!("{name}={text}: expected a number")),
            },
        };
        let (Some(task), Some(of)) =
            (number("SLURM_ARRAY_TASK_ID")?, number("SLURM_ARRAY_TASK_COUNT")?)
        else {
            return Ok(None);
        };
        let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
        match task.checked_sub(first) {
            Some(index) if index < of => Ok(Some(Self { index, of })),
            _ => Err(format!(
                "SLURM_ARRAY_TASK_ID={task}: expected one of the {of} numbers from {first} on, \
                 without gaps; give --shard I/N"
            )),
        }
    }

    /// Whether unit number `unit` is part of it.
    pub fn has(self, unit: usize) -> bool {
        unit % self.of == self.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_read_and_cover_everything_once() {
        assert_eq!("1/4".parse(), Ok(Shard { index: 1, of: 4 }));
        for wrong in ["4/4", "1", "a/4", "1/0", "-1/2"] {
            assert!(wrong.parse::<Shard>().unwrap_err().contains("expected I/N"), "{wrong}");
        }
        for unit in 0..10 {
            let owners = (0..3).filter(|&index| Shard { index, of: 3 }.has(unit)).count();
            assert_eq!(owners, 1);
        }
    }

    #[test]
    fn an_array_of_slurm_is_a_set_of_shards() {
        let of = |values: &[(&str, &str)]| {
            Shard::of_slurm(|name| {
                values.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
            })
        };
        assert_eq!(of(&[]), Ok(None));
        let task = |id| {
            of(&[
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_COUNT", "3"),
                ("SLURM_ARRAY_TASK_MIN", "1"),
            ])
        };
        assert_eq!(task("3"), Ok(Some(Shard { index: 2, of: 3 })));
        assert!(task("7").unwrap_err().contains("without gaps"));
        assert!(task("x").unwrap_err().contains("SLURM_ARRAY_TASK_ID=x: expected a number"));
    }
}
