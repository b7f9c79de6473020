// So many times over as it is told: pans for a second, zooms in and out for two; a frame at a time, as a hand with a mouse does. Every
// second time it pans back, so that each begins where there is a graph to see.
const [TIMES, done] = arguments;
const at = document.querySelector("[data-testid=graph-canvas]").getBoundingClientRect();
// In one gesture.
const FRAMES = 140;
let frame = 0, times = 0, x = at.x + at.width * 0.7, y = at.y + at.height * 0.6;
// What lies under the pointer, as with a hand; what happens to it rises to the board.
const under = document.elementFromPoint(x, y);
const mouse = { bubbles: true, cancelable: true, view: window };
const point = (type, buttons) => {
    const init = { ...mouse, button: 0, buttons, clientX: x, clientY: y };
    under.dispatchEvent(new PointerEvent(`pointer${type}`, { ...init, pointerId: 1, pointerType: "mouse" }));
    under.dispatchEvent(new MouseEvent(`mouse${type}`, init));
};
const wheel = by => under.dispatchEvent(new WheelEvent("wheel", { ...mouse, deltaY: by, clientX: x, clientY: y }));
const step = () => {
    frame += 1;
    const way = times % 2 ? 1 : -1;
    if (frame == 1) point("down", 1);
    if (frame <= 60) { x += 6 * way; y += 3 * way; point("move", 1); }
    if (frame == 61) point("up", 0);
    if (frame > 61 && frame < 140) wheel(frame <= 100 ? -40 : 40);
    if (frame == FRAMES) { frame = 0; times += 1; }
    if (times < TIMES) requestAnimationFrame(step); else { performance.mark("gesture-end"); done(); }
};
performance.mark("gesture-start");
requestAnimationFrame(step);
