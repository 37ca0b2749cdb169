"""Give the transition probabilities and the cost as arrays: a machine that wears and may be repaired.

Five conditions, from new to broken; the effort spent on maintenance is a continuous action.
"""

import numpy as np

import wpoflow as wpo


def main() -> None:
    condition = wpo.Grid((wpo.uniform_axis("wear", 0.0, 4.0, 5, "clamp"),))
    effort = wpo.Grid((wpo.uniform_axis("effort", 0.0, 1.0, 30),))
    n_states, n_actions = condition.size, effort.size
    spent = effort.points[:, 0]

    transition = np.zeros((n_states, n_actions, n_states))
    for state in range(n_states):
        transition[state, :, max(state - 1, 0)] += 0.8 * spent
        transition[state, :, min(state + 1, n_states - 1)] += 0.3 * (1.0 - spent)
        transition[state, :, state] += 1.0 - 0.8 * spent - 0.3 * (1.0 - spent)
    cost = condition.points[:, :1] + 2.0 * spent**2

    uniform = np.full(n_actions, 1.0 / n_actions)
    mdp = wpo.GridMDP(
        title="Machine maintenance",
        states=condition,
        actions=effort,
        discount=0.95,
        temperature=0.05,
        cost=cost,
        transition=wpo.tabulated_transition(transition),
        reference_mass=uniform,
        rho=np.full(n_states, 1.0 / n_states),
        initial_policy=np.tile(uniform, (n_states, 1)),
    )
    run = wpo.evolve(mdp, until={"gap": 1e-6, "time": 100.0}, output="maintenance.h5", force=True)
    print(run.stop_reason)
    for state, mean in enumerate(run.policy @ spent):
        print(f"  condition {state}: spend {mean:.3f}")


if __name__ == "__main__":
    main()
