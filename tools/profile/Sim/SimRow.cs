using Weft.Interop;
using Weft.Profile.Documents;
using Weft.Profile.Workloads;

namespace Weft.Profile.Sim;

/// <summary>What one launch did.</summary>
/// <param name="Workload">Which.</param>
/// <param name="Counters">What was counted.</param>
internal sealed record SimRow(Workload Workload, SimulatorCounters Counters)
{
    private const double SectorBytes = 32;

    /// <summary>Bytes of the sectors that were touched, over the fewest that the work must move.</summary>
    public double OfMinimum => Counters.GlobalSectors * SectorBytes / Workload.Bytes;

    /// <summary>Lanes of 32 that do something, on average over a warp's basic blocks.</summary>
    public double ActiveLanes => Counters.LaneSteps / (double)Counters.WarpSteps;

    /// <summary>For a document.</summary>
    public ProfileRow Figures() => new(Workload.Kernel, Workload.Instance.Expression, Workload.Shape, "sim", new SortedDictionary<string, double>
    {
        ["active_lanes"] = Math.Round(ActiveLanes, 3),
        ["bank_conflicts"] = Counters.BankConflicts,
        ["barriers"] = Counters.Barriers,
        ["bytes"] = Workload.Bytes,
        ["float_operations"] = Counters.FloatOperations,
        ["global_bytes"] = Counters.GlobalBytes,
        ["global_sectors"] = Counters.GlobalSectors,
        ["sector_bytes_of_minimum"] = Math.Round(OfMinimum, 4),
        ["shared_passes"] = Counters.SharedPasses,
        ["tensor_operations"] = Counters.TensorOperations,
    });
}
