"""For users of Gymnasium: solve MountainCarContinuous-v0 on a grid, and play the policy in the environment itself.

Needs Gymnasium: pip install "wpoflow[rl]".
"""

import gymnasium
import numpy as np

import wpoflow as wpo


def main() -> None:
    mdp = wpo.from_environment(
        "MountainCarContinuous-v0",
        cells={"position": 51, "velocity": 51, "force": 11},
        discount=0.99,
        temperature=1e-2,
    )
    best = wpo.solve_optimum(mdp)
    wpo.save_optimum(mdp, best, "mountain_car_optimum.h5", force=True)

    # the policy is a function from observations to actions, in a loop of one's own ...
    env = gymnasium.make("MountainCarContinuous-v0")
    policy = wpo.open_policy("mountain_car_optimum.h5").for_environment(env)
    observation, _ = env.reset(seed=0)
    total, over = 0.0, False
    while not over:
        observation, reward, terminated, truncated, _ = env.step(policy(observation))
        total += float(reward)
        over = terminated or truncated
    print(f"one episode: return {total:.1f}, goal reached: {terminated}")

    # ... or in many episodes, here with actions drawn from the policy
    sampled = wpo.GridPolicy(mdp.states, mdp.actions, best.policy, mode="sampled")
    done = wpo.rollout(sampled, "MountainCarContinuous-v0", episodes=50)
    print(f"50 episodes: mean return {done.mean:.0f}, {done.failed} failed")
    print(f"the same as {np.mean(done.returns):.0f} of the command")
    print("  wpoflow rollout mountain_car_optimum.h5 --env MountainCarContinuous-v0 --episodes 50 --mode sampled")


if __name__ == "__main__":
    main()
