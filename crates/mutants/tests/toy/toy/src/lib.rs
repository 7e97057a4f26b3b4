//! An account. Each function has a mutant whose fate the test knows.

mod unused;

/// An account.
#[derive(Debug, Default)]
pub struct Account {
    /// What is in it.
    pub balance: u64,
    /// What was paid. Nothing judges it.
    pub paid: Vec<u64>,
    /// Nobody reads it.
    hint: u64,
}

impl Account {
    /// An account with so much in it.
    pub fn new(balance: u64) -> Account {
        Account { balance, ..Account::default() }
    }

    /// Caught: what is paid must be gone.
    pub fn pay(&mut self, amount: u64) {
        self.balance -= amount;
        // Lives: it is part of the trace, but no oracle looks.
        self.paid.push(amount);
        // No difference: nobody reads it.
        self.hint = amount;
    }

    /// Hangs if the counter does not move.
    pub fn save(&mut self, mut times: u64) {
        while times > 0 {
            times -= 1;
            self.balance += 1;
        }
    }

    /// Panics if the index is another one.
    pub fn last(&self) -> u64 {
        [self.balance][0]
    }

    /// No difference: the boundary is never met, so the record says that no value would have been another.
    pub fn is_rich(&self) -> bool {
        let rich = self.balance > 1_000_000;
        rich
    }
}

/// Dies: without its condition it calls itself until the stack is used up.
pub fn depth(n: u64) -> u64 {
    if n == 0 {
        return 0;
    }
    std::hint::black_box(depth(std::hint::black_box(n) - 1)) + 1
}

/// Has mutants that do not compile: an integer's `!`, a text minus a text, a name that gets no value, a value that is
/// used after it is gone.
pub fn strange(n: u64, name: String) -> String {
    let label: &str;
    if n & 1 == 0 {
        label = "even";
    } else {
        label = "odd";
    }
    if !n == 0 {
        drop(name);
        return String::new();
    }
    name + label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_emptied() {
        let mut account = Account::new(5);
        account.pay(5);
        assert_eq!(account.balance, 0);
    }

    #[test]
    fn depth_is_counted() {
        assert_eq!(depth(3), 3);
    }
}
