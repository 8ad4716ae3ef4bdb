use twenty_webhook_inbox::{CatchUpScope, CatchUpStore};

use crate::{CatchUp, CatchUpError};

/// [`CatchUpStore::scopes`] returns at most so many, so there may be more.
const MAX_SCOPES: usize = 3;

impl CatchUp {
    /// The scope under which the deliveries of the key's workspace are stored. Deliveries with a tenant are stored under the tenant, not under
    /// the workspace.
    pub(super) async fn scope_in(&self, store: &impl CatchUpStore) -> Result<CatchUpScope, CatchUpError> {
        let mut scope = self.scope.clone();
        if scope.workspace_id.is_none() {
            scope.workspace_id = self.api_key.workspace_id().map(str::to_owned);
        }
        if scope.tenant.is_some() || self.scope.workspace_id.is_some() {
            return Ok(scope);
        }
        let mut scopes = store.scopes().await?;
        let Some(workspace_id) = &scope.workspace_id else {
            // A delivery that names no workspace is no sign of a second one: an early form, or a sample of `doctor`.
            scopes.retain(|one| !one.key().is_empty());
            return match &scopes[..] {
                [] => Ok(scope),
                [one] => Ok(one.clone()),
                [..] => Err(CatchUpError::AmbiguousWorkspace { candidates: scopes }),
            };
        };
        let tenants: Vec<_> = scopes.iter().filter(|one| one.tenant.is_some()).collect();
        match tenants[..] {
            [] => Ok(scope),
            [one] if one.workspace_id.as_ref() == Some(workspace_id) => Ok(one.clone()),
            // The only tenant is of another workspace.
            [one] if one.workspace_id.is_some() && scopes.len() < MAX_SCOPES => Ok(scope),
            // Its deliveries do not tell their workspace.
            [one] if one.workspace_id.is_none() && scopes.len() == 1 => {
                Ok(CatchUpScope { tenant: one.tenant.clone(), ..scope })
            }
            _ => Err(CatchUpError::AmbiguousWorkspace { candidates: scopes }),
        }
    }
}
