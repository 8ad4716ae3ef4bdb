use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::CatchUpError;

/// An API key. Its `Debug` does not contain the key.
#[derive(Clone)]
pub(crate) struct ApiKey {
    header: HeaderValue,
    tag: String,
    workspace_id: Option<String>,
}

impl ApiKey {
    pub(crate) fn new(key: &str) -> Result<Self, CatchUpError> {
        let key = key.trim();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CatchUpError::InvalidApiKey);
        }
        let mut header = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| CatchUpError::InvalidApiKey)?;
        header.set_sensitive(true);
        let mut hash = Sha256::new();
        hash.update("twenty-webhook-catchup key tag\0");
        hash.update(key);
        let tag = hex::encode(&hash.finalize()[..8]);
        Ok(Self { header, tag, workspace_id: workspace_id(key) })
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Identifies the key: 64 bits of its hash, which do not reveal it.
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// The workspace that the key names.
    pub(crate) fn workspace_id(&self) -> Option<&str> {
        self.workspace_id.as_deref()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").finish_non_exhaustive()
    }
}

/// Twenty's API keys are JSON Web Tokens, which name their workspace. The signature is not verified: only Twenty can verify it, and does so on each request.
fn workspace_id(key: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        #[serde(rename = "workspaceId")]
        workspace_id: String,
    }
    let [_, claims, _] = key.split('.').collect::<Vec<_>>()[..] else { return None };
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Some(claims.workspace_id).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_workspace() {
        // {"alg":"HS256"}.{"workspaceId":"3b8e6458-5fc1-4e63-8563-008ccddaa6db","type":"API_KEY"}, by `basenc --base64url`.
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJ3b3Jrc3BhY2VJZCI6IjNiOGU2NDU4LTVmYzEtNGU2My04NTYzLTAwOGNjZGRhYTZkYiIsInR5cGUiOiJBUElfS0VZIn0.c2ln";
        let key = ApiKey::new(token).unwrap();
        assert_eq!(key.workspace_id(), Some("3b8e6458-5fc1-4e63-8563-008ccddaa6db"));
        assert!(!format!("{key:?}").contains("eyJ"));
        assert_eq!(ApiKey::new("key-1").unwrap().workspace_id(), None);
        assert_ne!(ApiKey::new("key-1").unwrap().tag(), ApiKey::new("key-2").unwrap().tag());
        for bad in ["", " ", "a b", "é", "a\nb"] {
            assert!(ApiKey::new(bad).is_err(), "{bad:?}");
        }
    }
}
