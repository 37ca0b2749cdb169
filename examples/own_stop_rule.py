"""Walk along the flow step by step, with a stop rule of one's own.

Here: stop once no state's mean action has moved by more than a hundredth in one unit of flow time.
"""

import numpy as np

import wpoflow as wpo

STEPS_PER_UNIT = 20


def main() -> None:
    mdp = wpo.load_problem("lqr", cells={"x": 24, "u": 24})
    controls = mdp.actions.points[:, 0]
    before = np.full(mdp.states.size, np.inf)
    for state in wpo.flow(mdp, step=1.0 / STEPS_PER_UNIT, scheme="euler"):
        if state.steps % STEPS_PER_UNIT:
            continue
        mean = state.policy @ controls
        moved = np.abs(mean - before).max()
        print(f"  t = {state.time:5.2f}   value {mdp.rho @ state.value:.6f}   moved {moved:.3f}")
        if moved <= 0.01:
            break
        before = mean
    print(f"stopped after {state.steps} steps")


if __name__ == "__main__":
    main()
