//! A browser without a page: it keeps cookies by host and follows redirects one at a time, so that a test can stop, bend
//! and repeat any step.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
};

use bytes::Bytes;
use http::{HeaderMap, header};

use crate::{
    http::{Answer, send},
    oidc::{GuardedConsole, Provider},
};

/// The cookies of one browser.
#[derive(Clone, Default)]
pub struct Jar {
    cookies: HashMap<SocketAddr, BTreeMap<String, String>>,
}

impl Jar {
    /// `GET path`, with the cookies of that address and further headers.
    pub async fn get(&mut self, address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(address, "GET", path, headers, "").await
    }

    /// Any request.
    pub async fn send(
        &mut self,
        address: SocketAddr,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let cookies = self.cookies.entry(address).or_default();
        let cookie = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let mut all = headers.to_vec();
        if !cookie.is_empty() {
            all.push(("cookie", &cookie));
        }
        let body = Bytes::copy_from_slice(body.as_bytes());
        let answer = send(address, method, &address.to_string(), path, &all, body).await.expect("an answer");
        for (name, value) in set_cookies(&answer.headers) {
            if value.is_empty() {
                cookies.remove(&name);
            } else {
                cookies.insert(name, value);
            }
        }
        answer
    }

    /// A cookie's value.
    pub fn cookie(&self, address: SocketAddr, name: &str) -> Option<&str> {
        self.cookies.get(&address)?.get(name).map(String::as_str)
    }

    /// Puts a cookie in, as somebody who wants to be found with it.
    pub fn plant(&mut self, address: SocketAddr, name: &str, value: &str) {
        self.cookies.entry(address).or_default().insert(name.to_owned(), value.to_owned());
    }

    /// Goes from the console's sign-in through the provider's pages as `login`. Gives the path at the console that the
    /// provider sends the browser back to, not gone to yet.
    pub async fn to_callback(&mut self, console: &GuardedConsole, provider: &Provider, login: &str) -> String {
        let answer = self.get(console.address, "/auth/login?return_to=/%23/graph", &[]).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let mut next = location(&answer);
        for _ in 0..12 {
            let (address, path) = split(&next);
            if address == console.address {
                return path;
            }
            assert_eq!(address, provider.address);
            let mut answer = self.get(address, &path, &[]).await;
            if answer.status == 200 {
                assert!(path.starts_with("/interaction/"), "{path}: {}", answer.text());
                let form = [("content-type", "application/x-www-form-urlencoded")];
                let body = format!("prompt=login&login={login}&password=x");
                answer = self.send(address, "POST", &path, &form, &body).await;
            }
            assert!(answer.status.is_redirection(), "{path}: {} {}", answer.status, answer.text());
            next = location(&answer);
            if next.starts_with('/') {
                next = format!("http://{address}{next}");
            }
        }
        panic!("the provider does not come back: {next}");
    }

    /// Signs in, start to end.
    pub async fn sign_in(&mut self, console: &GuardedConsole, provider: &Provider, login: &str) -> Answer {
        let callback = self.to_callback(console, provider, login).await;
        self.get(console.address, &callback, &[]).await
    }
}

/// Where an answer sends the browser.
pub fn location(answer: &Answer) -> String {
    let location = answer.headers.get(header::LOCATION).unwrap_or_else(|| panic!("no Location: {answer:?}"));
    location.to_str().expect("a Location is text").to_owned()
}

fn split(url: &str) -> (SocketAddr, String) {
    let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("{url} is not plain http"));
    let (address, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = path.split('#').next().unwrap_or_default();
    (address.parse().unwrap_or_else(|_| panic!("{url} has no address")), path.to_owned())
}

fn set_cookies(headers: &HeaderMap) -> Vec<(String, String)> {
    let values = headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pair = |text: &str| {
        let (name, value) = text.split(';').next()?.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    values.filter_map(pair).collect()
}
