// The same mesh drawn by Cytoscape.js on a canvas, beside which graph_frames measures ours. It runs as the body of a
// WebDriver script, with the API's graph, and with the board, the scale and the places of the nodes as our page had them.
//
// Its look is that of Kiali's graph while Cytoscape.js drew it: round nodes with their names below, boxes around
// namespaces, bezier edges with a head and a rate, colours by health. What only adorned and costs (shadows under nodes,
// names as elements of the document over the canvas) is left out, which favours it.
const [graph, { board, scale, places }, done] = arguments;
const FONT = "Verdana, Arial, Helvetica, sans-serif";
const HEALTH = { healthy: "#3e8635", degraded: "#f0ab00", failing: "#c9190b" };
const IDLE = "#8a8d90";
const health = element => HEALTH[element.data("health")] || IDLE;
// Words appear at the scales at which ours do: a node's name from 0.17 on, an edge's rate from 0.55 on.
const NAME = { size: 14, from: 0.17 }, RATE = { size: 12, from: 0.55 };
const words = ({ size, from }) => ({ "font-family": FONT, "font-size": size, "min-zoomed-font-size": size * from });

document.body.style.margin = 0;
const place = document.body.appendChild(document.createElement("div"));
place.dataset.testid = "graph-canvas";
Object.assign(place.style, { position: "absolute", left: `${board.x}px`, top: `${board.y}px`, width: `${board.width}px`, height: `${board.height}px` });

const boxes = [...new Set(graph.nodes.map(node => node.namespace))];
// A drag pans wherever it begins.
const element = (group, data, position) => ({ group, data, position, pannable: true });
const cy = window.cytoscape({
    container: place,
    elements: [
        ...boxes.map(name => element("nodes", { id: `box:${name}`, name })),
        ...graph.nodes.map(node =>
            element("nodes", { id: node.id, parent: `box:${node.namespace}`, name: node.workload, health: node.health }, places[node.id])),
        ...graph.edges.map(edge =>
            element("edges", { source: edge.source, target: edge.destination, rate: `${edge.rate} rps`, health: edge.health })),
    ],
    style: [
        { selector: "node", style: { ...words(NAME), label: "data(name)", "text-valign": "bottom", "text-margin-y": 4, color: "#151515" } },
        { selector: "node:childless", style: {
            width: 25, height: 25, shape: "ellipse", "background-color": "#fff", "border-width": 1, "border-color": health,
            "text-background-color": "#fff", "text-background-opacity": 1, "text-background-padding": 2,
        } },
        { selector: "node:parent", style: {
            shape: "round-rectangle", padding: 24, "background-color": "#f5f5f5", "border-width": 1, "border-color": "#6a6e73",
        } },
        { selector: "edge", style: {
            ...words(RATE), label: "data(rate)", "text-outline-color": "#fff", "text-outline-width": 1,
            "curve-style": "bezier", width: 2, "line-color": health, "target-arrow-shape": "vee", "target-arrow-color": health,
        } },
    ],
    layout: { name: "preset", fit: false },
    autoungrabify: true,
    // As far as ours goes.
    minZoom: 0.04,
    maxZoom: 2.5,
    // A notch of 40 pixels zooms by e^0.06, as with us: Cytoscape.js counts 3/250 of a power of ten for a notch.
    wheelSensitivity: (0.06 * Math.LOG10E * 250) / 3,
});
cy.zoom(scale);
cy.center();
// What graph_frames asks afterwards: whether the gesture did what it does to ours.
window.peer = { cy, largest: scale };
cy.on("zoom", () => { window.peer.largest = Math.max(window.peer.largest, cy.zoom()); });
// The first four turns of a wheel are small, because Cytoscape.js finds out from them what kind of wheel it is.
const middle = { clientX: board.x + board.width / 2, clientY: board.y + board.height / 2 };
for (const deltaY of [-40, -40, 40, 40]) {
    place.dispatchEvent(new WheelEvent("wheel", { bubbles: true, cancelable: true, deltaY, ...middle }));
}
window.peer.largest = cy.zoom();
cy.one("render", () => done({ version: window.cytoscape.version, nodes: cy.nodes(":childless").length, edges: cy.edges().length }));
cy.forceRender();
