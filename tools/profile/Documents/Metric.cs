namespace Weft.Profile.Documents;

/// <summary>Which change of a metric is for the worse.</summary>
internal enum Worse
{
    /// <summary>More.</summary>
    Higher,

    /// <summary>Less.</summary>
    Lower,

    /// <summary>Neither: it describes the work.</summary>
    Never,
}

/// <summary>A figure of a profile.</summary>
/// <param name="Name">In documents.</param>
/// <param name="Unit">For people.</param>
/// <param name="Worse">Which direction is a regression.</param>
/// <param name="IsStrict">Any change for the worse is one, not only one beyond the threshold.</param>
internal sealed record Metric(string Name, string Unit, Worse Worse, bool IsStrict = false)
{
    /// <summary>Every figure that profiles have.</summary>
    public static IReadOnlyDictionary<string, Metric> All { get; } = new Metric[]
    {
        new("registers", "", Worse.Higher),
        new("stack_bytes", "B", Worse.Higher, IsStrict: true),
        new("spill_store_bytes", "B", Worse.Higher, IsStrict: true),
        new("spill_load_bytes", "B", Worse.Higher, IsStrict: true),
        new("static_shared_bytes", "B", Worse.Higher, IsStrict: true),
        new("code_bytes", "B", Worse.Higher),
        new("ptx_tensor", "", Worse.Never),
        new("ptx_global", "", Worse.Higher),
        new("ptx_shared", "", Worse.Higher),
        new("ptx_async", "", Worse.Never),
        new("ptx_local", "", Worse.Higher, IsStrict: true),
        new("ptx_float", "", Worse.Never),
        new("ptx_integer", "", Worse.Never),
        new("ptx_control", "", Worse.Never),
        new("ptx_other", "", Worse.Never),
        new("threads", "", Worse.Never),
        new("blocks", "", Worse.Never),
        new("shared_bytes", "B", Worse.Higher),
        new("occupancy", "", Worse.Lower, IsStrict: true),
        new("bytes", "B", Worse.Never),
        new("operations", "", Worse.Never),
        new("plain_operations", "", Worse.Never),
        new("roofline_us", "µs", Worse.Never),
        new("global_bytes", "B", Worse.Higher),
        new("global_sectors", "", Worse.Higher),
        new("sector_bytes_of_minimum", "", Worse.Higher),
        new("shared_passes", "", Worse.Higher),
        new("bank_conflicts", "", Worse.Higher, IsStrict: true),
        new("barriers", "", Worse.Higher),
        new("active_lanes", "", Worse.Lower),
        new("tensor_operations", "", Worse.Higher),
        new("float_operations", "", Worse.Higher),
        new("time_us", "µs", Worse.Higher),
        new("host_us", "µs", Worse.Higher),
        new("gap_share", "", Worse.Higher),
        new("roofline_fraction", "", Worse.Lower),
        new("launches", "", Worse.Higher, IsStrict: true),
        new("check_failed", "", Worse.Higher, IsStrict: true),
        new("check_skipped", "", Worse.Higher, IsStrict: true),
        new("peer_us", "µs", Worse.Never),
    }.ToDictionary(metric => metric.Name);
}
