//! Response flags: why the proxy, not the application, decided how a request ended
//! (<https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage>, `%RESPONSE_FLAGS%`).

use std::fmt;

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $short:literal, $why:literal;)*) => {
        /// One reason. A request usually has none.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Flag { $(#[doc = concat!("`", $short, "`: ", $why)] $name,)* }

        impl Flag {
            /// All, in the order in which Envoy prints them.
            pub const EVERY: &'static [Flag] = &[$(Flag::$name),*];

            /// Envoy's short name, as logs and metrics have it.
            pub const fn short(self) -> &'static str {
                match self { $(Flag::$name => $short,)* }
            }

            /// A sentence for people.
            pub const fn sentence(self) -> &'static str {
                match self { $(Flag::$name => $why,)* }
            }
        }
    };
}

flags! {
    FailedLocalHealthCheck = "LH", "The proxy's own health check failed.";
    NoHealthyUpstream = "UH", "No healthy endpoint was left to send the request to.";
    UpstreamRequestTimeout = "UT", "The upstream did not answer within the route's timeout.";
    LocalReset = "LR", "The proxy reset the connection to the upstream.";
    UpstreamRemoteReset = "UR", "The upstream reset the connection or stream.";
    UpstreamConnectionFailure = "UF", "The connection to the upstream could not be established.";
    UpstreamConnectionTermination = "UC", "The upstream closed the connection before it had answered.";
    UpstreamOverflow = "UO", "A circuit breaker limit of the cluster was reached.";
    NoRoute = "NR", "No route or filter chain fits the request.";
    DelayInjected = "DI", "A configured fault delayed the request.";
    FaultInjected = "FI", "A configured fault aborted the request.";
    RateLimited = "RL", "A rate limit refused the request.";
    UnauthorizedExternal = "UAEX", "Authorization refused the request.";
    RateLimitServiceError = "RLSE", "The rate limit service failed.";
    DownstreamConnectionTermination = "DC", "The client closed the connection before the answer was complete.";
    UpstreamRetryLimitExceeded = "URX", "Every attempt failed and no retry was left.";
    StreamIdleTimeout = "SI", "Nothing moved on the stream for too long.";
    DownstreamProtocolError = "DPE", "The client broke the HTTP protocol.";
    UpstreamProtocolError = "UPE", "The upstream broke the HTTP protocol.";
    UpstreamMaxStreamDuration = "UMSDR", "The stream lived longer than allowed.";
    NoFilterConfig = "NFCF", "A filter's configuration has not arrived yet.";
    DurationTimeout = "DT", "The connection or request lived longer than allowed.";
    NoCluster = "NC", "The route names a cluster that does not exist.";
    OverloadManager = "OM", "The proxy shed load to protect itself.";
    DnsFailure = "DF", "The upstream's name could not be resolved.";
    DropOverload = "DO", "The control plane told this proxy to drop a share of the traffic.";
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

/// A set of flags; prints as `UF,URX`, or `-` when empty.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(u32);

impl Flags {
    /// None.
    pub const NONE: Self = Self(0);

    /// Adds one.
    pub fn set(&mut self, flag: Flag) {
        self.0 |= 1 << flag as u32;
    }

    /// This set and one more.
    #[must_use]
    pub const fn with(self, flag: Flag) -> Self {
        Self(self.0 | 1 << flag as u32)
    }

    /// Whether it has `flag`.
    pub const fn has(self, flag: Flag) -> bool {
        self.0 & (1 << flag as u32) != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The flags in Envoy's order.
    pub fn iter(self) -> impl Iterator<Item = Flag> {
        Flag::EVERY.iter().copied().filter(move |f| self.has(*f))
    }
}

impl From<Flag> for Flags {
    fn from(flag: Flag) -> Self {
        Self::NONE.with(flag)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("-");
        }
        for (i, flag) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(flag.short())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_like_envoy() {
        assert_eq!(Flags::NONE.to_string(), "-");
        let both = Flags::from(Flag::UpstreamRetryLimitExceeded).with(Flag::UpstreamConnectionFailure);
        assert_eq!(both.to_string(), "UF,URX");
        assert!(both.has(Flag::UpstreamConnectionFailure) && !both.has(Flag::NoRoute));
    }

    #[test]
    fn names_are_distinct_and_explained() {
        let mut names: Vec<_> = Flag::EVERY.iter().map(|f| f.short()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Flag::EVERY.len());
        assert!(Flag::EVERY.iter().all(|f| f.sentence().ends_with('.')));
    }
}
