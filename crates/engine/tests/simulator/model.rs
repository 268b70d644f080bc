//! What has to be true in the end, worked out from the source alone.

use provost_model::Value;

use super::history::{Leavers, Rules};
use super::world::{Object, World};

/// What is wrong with the target, if anything.
pub fn verdict(world: &World, rules: &Rules) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, person) in &world.people {
        let accounts = named(world, "User", "userName", &person.login);
        if !person.active {
            continue;
        }
        let [(account_id, account)] = accounts.as_slice() else {
            wrong.push(format!("{id} ({}) has {} accounts", person.login, accounts.len()));
            continue;
        };
        let mut check = |attribute: &str, want: Option<&str>| {
            let have = account.attributes.find(attribute).and_then(Value::to_text).map(|text| text.to_lowercase());
            if have.as_deref() != want {
                wrong.push(format!("{account_id} ({}): {attribute} is {have:?}, not {want:?}", person.login));
            }
        };
        check("title", Some(&rules.title(&person.dept)));
        if rules.can_disable {
            check("active", Some("true"));
        }
        match person.boss.as_ref().and_then(|boss| world.people.get(boss)) {
            // What an account had before it was taken over stays where the source says nothing.
            None if account.unheard || !account.touched => {}
            None if account.made_with.is_some() && account.manager() == account.made_with.as_deref() => {}
            None => check("manager", None),
            Some(boss) if boss.active => check("manager", world.named(&boss.login)),
            // A boss who is out of scope may have an account still.
            Some(_) => {}
        }
    }
    for (id, group) in &world.groups {
        let found = named(world, "Group", "displayName", &group.name);
        let [(_, object)] = found.as_slice() else {
            wrong.push(format!("{id} ({}) is there {} times", group.name, found.len()));
            continue;
        };
        let have: Vec<&str> = object
            .attributes
            .find("members")
            .map(Value::elements)
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_text)
            .collect();
        for (member, person) in &world.people {
            let account = world.named(&person.login);
            let is_in = account.is_some_and(|account| have.contains(&account));
            if group.members.contains(member) {
                if person.active && !is_in {
                    wrong.push(format!("{id}: {member} ({}) is not in", person.login));
                }
            } else if is_in {
                wrong.push(format!("{id}: {member} ({}) is in", person.login));
            }
        }
    }
    for (id, object) in &world.objects {
        if object.class == "User" && object.touched && !object.unheard {
            leaver(world, rules, id, object, &mut wrong);
        }
    }
    wrong
}

/// An account that Provost had a hand in, and whose person is gone or out of scope.
fn leaver(world: &World, rules: &Rules, id: &str, object: &Object, wrong: &mut Vec<String>) {
    let name = object.attributes.find("userName").and_then(Value::as_text).unwrap_or_default();
    let person = world.whose.get(name).and_then(|id| world.people.get(id));
    let reaction = match person {
        Some(person) if person.active => {
            if person.login != name {
                wrong.push(format!("{id} ({name}) was left behind by {}", person.login));
            }
            return;
        }
        Some(_) => rules.out_of_scope,
        None => rules.deleted,
    };
    let is_on = object.attributes.find("active").and_then(Value::as_bool).unwrap_or(true);
    let fine = match reaction {
        Leavers::Keep => true,
        Leavers::Delete => false,
        Leavers::Disable => rules.can_disable && !is_on,
        // Off, and gone once the time is over.
        Leavers::Grace => !rules.can_disable || !is_on,
    };
    if !fine {
        let whose = if person.is_some() { "out of scope" } else { "gone" };
        wrong.push(format!("{id} ({name}) is {whose}, the rule says {reaction:?}, and it is there, active {is_on}"));
    }
}

fn named<'w>(world: &'w World, class: &str, attribute: &str, name: &str) -> Vec<(&'w String, &'w Object)> {
    let is_it = |object: &Object| {
        object.class == class && object.attributes.find(attribute).and_then(Value::as_text) == Some(name)
    };
    world.objects.iter().filter(|(_, object)| is_it(object)).collect()
}

/// Accounts of one name that Provost made more than once.
pub fn doubles(world: &World) -> Option<String> {
    for person in world.people.values() {
        let accounts = named(world, "User", "userName", &person.login);
        let made = accounts.iter().filter(|(_, object)| object.touched).count();
        if made > 1 {
            return Some(format!("{} has {made} accounts", person.login));
        }
    }
    for group in world.groups.values() {
        let found = named(world, "Group", "displayName", &group.name);
        if found.iter().filter(|(_, object)| object.touched).count() > 1 {
            return Some(format!("group {} is there twice", group.name));
        }
    }
    None
}
