"""Run a problem of the gallery on a coarse grid, keep the run in a file, and read it back.

The file is HDF5 in the netCDF-4 layout: h5py, xarray and ncdump open it; `wpoflow.open_run` checks first
that it is whole and unaltered.
"""

import numpy as np

import wpoflow as wpo


def main() -> None:
    mdp = wpo.load_problem("lqr", cells={"x": 32, "u": 32})
    wpo.evolve(mdp, until={"time": 2.0}, accuracy=1e-3, output="lqr_coarse.h5", force=True)

    run = wpo.open_run("lqr_coarse.h5")
    print(run.title, "-", run.stop_reason)
    for time, gap in zip(run.series["time"][::10], run.series["gap"][::10], strict=True):
        print(f"  t = {time:8.4f}   gap = {gap:.3e}")

    controls = run.actions.points[:, 0]
    mean = run.policy @ controls
    slope = np.polyfit(run.states.points[8:24, 0], mean[8:24], 1)[0]
    print(f"mean control is about {slope:.3f} x at the end of the run")


if __name__ == "__main__":
    main()
