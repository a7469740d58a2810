//! The list of claims that hold on both stores.

/// Makes one test of every claim for each store: `embedded::GROUP::CLAIM`, `etcd::GROUP::CLAIM`.
///
/// A claim is an async function `claims::GROUP::CLAIM` beside the macro that takes the fresh store, by
/// reference. `embedded` and `etcd` make one, `run` runs the claim to its end.
///
/// ```text
/// on_both_stores! {
///     embedded: crate::Fixture::embedded, etcd: crate::Fixture::etcd, run: crate::block_on;
///     reading: a_claim, another_claim;
/// }
/// ```
#[macro_export]
macro_rules! on_both_stores {
    (embedded: $embedded:path, etcd: $etcd:path, run: $run:path; $($claims:tt)+) => {
        mod embedded { $crate::claims_on! { $embedded, $run; $($claims)+ } }
        mod etcd { $crate::claims_on! { $etcd, $run; $($claims)+ } }
    };
}

/// One store's half of [`on_both_stores!`].
#[doc(hidden)]
#[macro_export]
macro_rules! claims_on {
    ($make:path, $run:path;) => {};
    ($make:path, $run:path; $group:ident: $($claim:ident),+; $($more:tt)*) => {
        mod $group { $(
            #[test]
            fn $claim() {
                let store = $make();
                $run(super::super::claims::$group::$claim(&store));
            }
        )+ }
        $crate::claims_on! { $make, $run; $($more)* }
    };
}
