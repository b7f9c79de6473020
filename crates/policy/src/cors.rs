//! Cross-origin resource sharing (<https://fetch.spec.whatwg.org/#http-cors-protocol>), as Envoy's filter does it.

use http::{HeaderMap, HeaderValue, header};

use crate::{config::Cors, facts::RequestFacts};

/// What CORS asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum CorsDecision {
    /// Nothing: no origin, or not one that is let in.
    PassThrough,
    /// A preflight: answer 200 with these headers.
    Answer(HeaderMap),
    /// Put these on the response.
    Decorate(HeaderMap),
}

impl Cors {
    /// Decides about a request.
    pub fn decide(&self, request: &RequestFacts<'_>) -> CorsDecision {
        let Some(origin) = request.headers.get(header::ORIGIN).filter(|o| !o.is_empty()) else {
            return CorsDecision::PassThrough;
        };
        let allowed = origin.to_str().is_ok_and(|o| self.origins.iter().any(|m| m.matches(o)));
        let preflight =
            request.method == "OPTIONS" && request.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        match (preflight, allowed) {
            (true, true) => CorsDecision::Answer(self.preflight(origin)),
            (true, false) if !self.forward_unmatched_preflights => CorsDecision::Answer(HeaderMap::new()),
            (false, true) => CorsDecision::Decorate(self.actual(origin)),
            _ => CorsDecision::PassThrough,
        }
    }

    fn common(&self, origin: &HeaderValue) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        headers
    }

    fn preflight(&self, origin: &HeaderValue) -> HeaderMap {
        let mut headers = self.common(origin);
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, &self.methods),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, &self.headers),
            (header::ACCESS_CONTROL_MAX_AGE, &self.max_age),
        ] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
        headers
    }

    fn actual(&self, origin: &HeaderValue) -> HeaderMap {
        let mut headers = self.common(origin);
        if let Some(expose) = &self.expose {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
        headers
    }
}

#[cfg(test)]
mod tests;
