//! The paths: which can run, what their names are, and that one that cannot run is an error of every
//! call, never a silent fallback.

mod common;

use common::{Args, Num, calls, check_required, paths};
use xent::{Error, Exec, Path};

#[test]
fn required_paths_are_available() {
    let available = paths();
    println!("available: {available:?}, best: {}", Path::best());
    assert!(available.contains(&Path::Scalar), "the scalar path runs everywhere");
}

#[test]
fn a_required_path_that_is_missing_or_unknown_fails_with_its_name() {
    let have = [Path::Scalar, Path::Avx2];
    assert_eq!(check_required("", &have), Ok(()));
    assert_eq!(check_required("scalar", &have), Ok(()));
    assert_eq!(check_required(" avx2, scalar,", &have), Ok(()));
    let missing = check_required("scalar,neon", &have).expect_err("neon is missing");
    assert!(missing.contains("neon") && missing.contains("Avx2"), "{missing}");
    let unknown = check_required("scalar,sse2", &have).expect_err("sse2 is no path");
    assert!(unknown.contains("sse2"), "{unknown}");
    assert!(check_required("AVX2", &have).is_err(), "names are lower case");
}

#[test]
fn names_round_trip() {
    for path in Path::ALL {
        assert_eq!(path.to_string(), path.name());
        assert_eq!(path.name().parse(), Ok(path));
        assert_eq!(format!("{path:>8}").len(), 8, "the width of a format is honoured");
    }
    assert_eq!(Path::ALL.map(Path::name), ["scalar", "avx2", "avx512", "neon"]);
    for name in ["", "Scalar", "avx", "avx2 ", "sse2"] {
        assert_eq!(name.parse::<Path>(), Err(Error::UnknownPath), "{name:?}");
    }
}

#[test]
fn available_paths_are_those_of_the_architecture_in_order_of_preference() {
    let available = paths();
    let in_order: Vec<Path> = Path::ALL.into_iter().filter(|p| p.is_available()).collect();
    assert_eq!(available, in_order);
    assert_eq!(available.last(), Some(&Path::best()));
    for path in available {
        let arch = match path {
            Path::Scalar => continue,
            Path::Avx2 | Path::Avx512 => "x86_64",
            Path::Neon => "aarch64",
            other => panic!("{other} is not in this test"),
        };
        assert_eq!(std::env::consts::ARCH, arch, "{path}");
    }
}

#[test]
fn resolve_gives_the_path_that_a_call_takes() {
    assert_eq!(Exec::new().resolve(), Ok(Path::best()));
    assert_eq!(Exec::new().threads(3).resolve(), Ok(Path::best()));
    assert_eq!(Exec::default().resolve(), Ok(Path::best()));
    for path in Path::ALL {
        let expected =
            if path.is_available() { Ok(path) } else { Err(Error::PathUnavailable { path }) };
        assert_eq!(Exec::new().path(path).resolve(), expected);
        assert_eq!(Exec::new().path(path).threads(1).resolve(), expected);
    }
}

fn unavailable_is_refused<T: Num>() {
    for path in Path::ALL.into_iter().filter(|path| !path.is_available()) {
        for call in calls::<T>() {
            let mut args = Args::<T>::new(3, 37, 2, path);
            let before = args.snapshot();
            let result = (call.run)(&mut args);
            assert_eq!(result, Err(Error::PathUnavailable { path }), "{}", call.name);
            assert!(args.snapshot() == before, "{} wrote something", call.name);
        }
    }
    // The same calls run on a path that is there: the loop above refuses nothing else.
    for path in paths() {
        for call in calls::<T>() {
            let mut args = Args::<T>::new(3, 37, 2, path);
            let before = args.snapshot();
            assert_eq!((call.run)(&mut args), Ok(()), "{} on {path}", call.name);
            assert!(args.snapshot() != before, "{} on {path} wrote nothing", call.name);
        }
    }
}

#[test]
fn an_unavailable_path_is_an_error_of_every_call_and_nothing_is_written() {
    // No CPU has both x86 and Arm paths: some path is always missing.
    assert!(Path::ALL.iter().any(|path| !path.is_available()));
    unavailable_is_refused::<f32>();
    unavailable_is_refused::<f64>();
}
