//! A volume of the caller's, found or made.

use crate::gateway::audit;
use crate::gateway::caller::Caller;
use crate::gateway::engine::{Engine, OwnedVolume};
use crate::gateway::error::Error;
use crate::policy::Thing;
use crate::protocol::name::ThingName;
use std::collections::BTreeMap;

/// The caller's volume of this name, made if it is not there; only while the caller's turn is held.
pub(in crate::gateway) async fn ensure(
    engine: &Engine,
    caller: &Caller,
    name: &ThingName,
    labels: &BTreeMap<String, String>,
) -> Result<OwnedVolume, Error> {
    let account = caller.account()?;
    let all = engine.all_volumes_of(caller).await?;
    if let Some(volume) = all.own.iter().find(|volume| volume.name() == name) {
        return Ok(volume.clone());
    }
    if all.is_left(name.as_str()) {
        return Err(Error::left_name(name.as_str()));
    }
    let names: Vec<String> = all.own.iter().map(|volume| volume.name().to_string()).collect();
    caller.limits()?.one_more_thing(Thing::Volume, &names, &all.logins())?;
    audit::allowed(caller, "volume-create", name.as_str());
    Ok(engine.create_volume(caller, account.login(), name, labels).await?)
}
