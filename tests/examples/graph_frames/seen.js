// What our page shows, for somebody else to show the same: where its board lies, its scale, and the places of the nodes,
// which it writes into the file that it exports.
const done = arguments[arguments.length - 1];
const board = document.querySelector("[data-testid=graph-canvas]");
const { x, y, width, height } = board.getBoundingClientRect();
const shown = () => Number(board.querySelector("canvas").dataset.scale);
// The page says it in hundredths, of which a small one has few: it is read from nearer by, and the way is known.
const steps = 30;
for (let step = 0; step < steps; step += 1) {
    board.dispatchEvent(new WheelEvent("wheel", { bubbles: true, cancelable: true, deltaY: -40, clientX: x, clientY: y }));
}
// Nothing is to be saved.
HTMLAnchorElement.prototype.click = () => {};
URL.createObjectURL = file => {
    file.text().then(text => {
        const places = {};
        for (const node of new DOMParser().parseFromString(text, "image/svg+xml").querySelectorAll("svg > g")) {
            // Its last rectangle with a node's corners: what lies under it comes before.
            const side = name => Number([...node.querySelectorAll(":scope > rect[rx='6']")].pop().getAttribute(name));
            const middle = { x: side("x") + side("width") / 2, y: side("y") + side("height") / 2 };
            places[node.querySelector("title").textContent] = middle;
        }
        // The wheel has been drawn by the frame after the next.
        const read = () => done({ board: { x, y, width, height }, scale: shown() / Math.exp(0.06 * steps), places });
        requestAnimationFrame(() => requestAnimationFrame(read));
    });
    return "";
};
document.querySelector("[data-testid=export-svg]").click();
