using System.Runtime.Versioning;
using Weft.Backends.Cuda.Compilation;
using Weft.Kernels.Tests.Support;

namespace Weft.Kernels.Tests.Compilation;

/// <summary>The cache gives back what was stored or nothing, whatever happens to its folder.</summary>
[TestFixture]
public sealed class CubinCacheTests
{
    private const string Compiler = "libnvrtc.so.12.4.127";
    private static readonly CubinKey Key = CubinKeyTests.Key();
    private static readonly CompiledKernels Compiled = new(
        (byte[])[.. Enumerable.Range(0, 5000).Select(i => (byte)(i * 7))], new Dictionary<string, string> { ["k<1>"] = "_Z1kILi1E", ["k<2>"] = "_Z1kILi2E" });

    private ScratchFolder folder = null!;
    private List<string> notes = null!;
    private CubinCache cache = null!;

    private string Entry => Path.Combine(cache.Folder, Key.Name + ".cubin");

    [SetUp]
    public void CreateFolder()
    {
        folder = new ScratchFolder();
        notes = [];
        cache = new CubinCache(folder["cubins"], note: notes.Add);
    }

    [TearDown]
    public void RemoveFolder()
    {
        Assert.That(notes, Has.Count.LessThanOrEqualTo(1), "a note is given once");
        folder.Dispose();
    }

    [Test]
    public void An_entry_comes_back_as_it_was()
    {
        Assert.That(cache.Find(Key), Is.Null);
        cache.Store(Key, Compiled, Compiler);
        AssertSame(cache.Find(Key));
        AssertSame(new CubinCache(cache.Folder).Find(Key));
        Assert.That(Directory.GetFiles(cache.Folder), Is.EquivalentTo(new[] { Entry, Path.Combine(cache.Folder, "compiler") }), "no temporary file stays");
        Assert.That(notes, Is.Empty);
    }

    [Test]
    public void Without_a_compiler_the_last_one_s_entries_are_looked_up()
    {
        Assert.That(cache.Compiler(null), Is.Null);
        cache.Store(Key, Compiled, "libnvrtc.so.11.8.89");
        cache.Store(Key, Compiled, Compiler);
        Assert.That(cache.Compiler(null), Is.EqualTo(Compiler));
        Assert.That(cache.Compiler("libnvrtc.so.13.0.1"), Is.EqualTo("libnvrtc.so.13.0.1"));
    }

    [Test]
    public void A_truncated_entry_is_none([Values(0, 1, 8, 39, 71, 72, 2000, 5000)] int length)
    {
        cache.Store(Key, Compiled, Compiler);
        File.WriteAllBytes(Entry, File.ReadAllBytes(Entry)[..length]);
        AssertReplaced();
    }

    [Test]
    public void A_flipped_bit_is_noticed_wherever_it_is()
    {
        cache.Store(Key, Compiled, Compiler);
        var good = File.ReadAllBytes(Entry);
        for (var place = 0; place < good.Length; place += 13)
        {
            var bad = good.ToArray();
            bad[place] ^= (byte)(1 << (place % 8));
            Assert.That(CubinEntry.TryRead(Key, bad), Is.Null, $"byte {place}");
        }

        good[^1] ^= 1;
        File.WriteAllBytes(Entry, good);
        AssertReplaced();
    }

    [Test]
    public void An_entry_of_another_key_is_none()
    {
        var other = CubinKeyTests.Key(source: "int y;");
        cache.Store(other, Compiled, Compiler);
        File.Move(Path.Combine(cache.Folder, other.Name + ".cubin"), Entry);
        AssertReplaced();
    }

    [Test]
    public void A_foreign_file_is_none()
    {
        Directory.CreateDirectory(cache.Folder);
        File.WriteAllText(Entry, new string('x', 1000));
        AssertReplaced();
    }

    [Test]
    public void A_folder_in_the_entry_s_place_costs_the_entry_and_a_note()
    {
        Directory.CreateDirectory(Entry);
        cache.Store(Key, Compiled, Compiler);
        cache.Store(Key, Compiled, Compiler);
        Assert.That(cache.Find(Key), Is.Null);
        Assert.That(notes, Has.Count.EqualTo(1));
        Assert.That(Directory.GetFiles(cache.Folder), Is.Empty, "no temporary file stays");
    }

    [Test]
    public void A_folder_that_cannot_be_made_costs_a_note()
    {
        File.WriteAllText(folder["file"], "");
        var impossible = new CubinCache(folder["file/cubins"], note: notes.Add);
        impossible.Store(Key, Compiled, Compiler);
        impossible.Store(Key, Compiled, Compiler);
        Assert.That(impossible.Find(Key), Is.Null);
        Assert.That(notes, Has.One.Contains("cannot be kept in").And.One.Contains("compiled again"));
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "it has other permissions")]
    [UnsupportedOSPlatform("windows")]
    public void A_read_only_folder_is_read()
    {
        cache.Store(Key, Compiled, Compiler);
        File.SetUnixFileMode(cache.Folder, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        try
        {
            AssertSame(cache.Find(Key));
            cache.Store(CubinKeyTests.Key(source: "int y;"), Compiled, Compiler);
            if (Environment.UserName != "root") // who may write everywhere
                Assert.That(notes, Has.Count.EqualTo(1));
        }
        finally
        {
            File.SetUnixFileMode(cache.Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    [Test]
    public void The_least_recently_used_go_first()
    {
        var keys = Enumerable.Range(0, 6).Select(i => CubinKeyTests.Key(source: $"int x{i};")).ToArray();
        var small = new CubinCache(cache.Folder, limit: 4 * CubinEntry.Write(Key, Compiled).Length);
        for (var i = 0; i < 4; i++)
        {
            small.Store(keys[i], Compiled, Compiler);
            File.SetLastWriteTimeUtc(Path.Combine(cache.Folder, keys[i].Name + ".cubin"), DateTime.UtcNow.AddHours(i - 10));
        }

        AssertSame(small.Find(keys[0])); // used again: keys[1] is now the oldest
        small.Store(keys[4], Compiled, Compiler);
        small.Store(keys[5], Compiled, Compiler);
        Assert.That(keys.Select(key => small.Find(key) is not null), Is.EqualTo(new[] { true, false, false, true, true, true }));
    }

    [Test]
    public void What_dead_processes_left_is_removed()
    {
        cache.Store(Key, Compiled, Compiler);
        var (old, recent) = (Entry + ".1.old.tmp", Entry + ".2.new.tmp");
        File.WriteAllText(old, "");
        File.WriteAllText(recent, "");
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddHours(-2));
        cache.Store(Key, Compiled, Compiler);
        Assert.That(File.Exists(old), Is.False);
        Assert.That(File.Exists(recent), Is.True, "a process may be about to rename it");
    }

    [Test]
    public void Threads_may_store_and_load_one_key()
    {
        var limit = 2 * CubinEntry.Write(Key, Compiled).Length; // so that they remove each other's entries too
        Parallel.For(0, 400, i =>
        {
            var own = new CubinCache(cache.Folder, limit, notes.Add);
            if (i % 2 == 0)
                own.Store(i % 4 == 0 ? Key : CubinKeyTests.Key(source: $"int x{i};"), Compiled, Compiler);
            else if (own.Find(Key) is { } loaded)
                AssertSame(loaded);
        });
        Assert.That(notes, Is.Empty);
        cache.Store(Key, Compiled, Compiler);
        AssertSame(cache.Find(Key));
    }

    private static void AssertSame(CompiledKernels? loaded)
    {
        Assert.That(loaded, Is.Not.Null);
        Assert.That(loaded!.Image.Span.SequenceEqual(Compiled.Image.Span));
        Assert.That(loaded.LoweredNames, Is.EquivalentTo(Compiled.LoweredNames));
    }

    private void AssertReplaced()
    {
        Assert.That(cache.Find(Key), Is.Null);
        cache.Store(Key, Compiled, Compiler);
        AssertSame(cache.Find(Key));
    }
}
