// All browser tests in one process, one after the other: they share two cores with the server that they look at.

import "./logic.mjs";
import "./wall.mjs";
import "./detail.mjs";
import "./access.mjs";
import "./look.mjs";
import "./latency.mjs";
