"""State a problem in Python: a noisy pointer on a circle that is to be turned to angle 0.

Dynamics, cost and densities are functions of arrays of coordinates, states first, then actions.
"""

import numpy as np

import wpoflow as wpo


def main() -> None:
    statement = wpo.Statement(
        title="Pointer on a circle",
        states=wpo.Grid((wpo.uniform_axis("angle", -np.pi, np.pi, 48, "periodic"),)),
        actions=wpo.Grid((wpo.sinh_axis("turn", -2.0, 2.0, 40, focus=0.0, ratio=5.0),)),
        discount=0.9,
        temperature=0.4,
        dynamics={"angle": lambda angle, turn: angle + 0.3 * turn},
        noise={"angle": 0.15},
        cost=lambda angle, turn: 1.0 - np.cos(angle) + 0.1 * turn**2,
        potential=lambda turn: 0.5 * turn**2,
    )
    mdp = wpo.build(statement)
    best = wpo.solve_optimum(mdp)
    run = wpo.evolve(mdp, until={"gap": 1e-4, "time": 20.0}, accuracy=1e-3, optimum=best)

    print(run.stop_reason)
    turn = run.policy @ mdp.actions.points[:, 0]
    for state in range(0, mdp.states.size, 8):
        print(f"  at angle {mdp.states.points[state, 0]:6.2f} turn by {turn[state]:6.3f} on average")
    print(f"largest distance to the optimal value: {np.abs(run.value - best.value).max():.1e}")


if __name__ == "__main__":
    main()
