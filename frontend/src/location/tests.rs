use super::*;

#[test]
fn the_empty_address_is_the_graph() {
    assert_eq!(View::parse(""), View::default());
    assert_eq!(View::parse("#/nowhere?window=7&x=y&="), View::default());
    assert_eq!(View::default().fragment(), "#/graph");
}

#[test]
fn every_field_comes_back() {
    let view = View {
        room: Room::Traces,
        window_s: 900,
        namespaces: vec!["default".into(), "shop".into()],
        select: "edge:default/a->default/b".into(),
        find: "ns = shop & 100 %".into(),
        label: Label::P95,
        locks: true,
        list: true,
        workload: "default/order-service-v1".into(),
        errors: true,
        min_ms: 250,
    };
    assert_eq!(View::parse(&view.fragment()), view);
}

#[test]
fn broken_escapes_do_no_harm() {
    assert_eq!(View::parse("#/graph?find=%").find, "%");
    assert_eq!(View::parse("#/graph?find=%f").find, "%f");
    assert_eq!(View::parse("#/graph?find=%zz%C3").find, "%zz\u{fffd}");
    assert_eq!(View::parse("#/graph?find=größe").find, "größe");
}

#[test]
fn another_room_keeps_the_scope() {
    let view = View { namespaces: vec!["shop".into()], window_s: 300, select: "node:x".into(), ..View::default() };
    let other = view.enter(Room::Canaries);
    assert_eq!((other.room, other.window_s, other.select.as_str()), (Room::Canaries, 300, ""));
    assert!(other.shows("shop") && other.shows("") && !other.shows("default"));
}
