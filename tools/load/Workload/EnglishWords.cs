namespace Weft.Load.Workload;

/// <summary>Plain words that most vocabularies hold in one or two tokens.</summary>
internal static class EnglishWords
{
    private const string Text = """
        able about above accept across act add afraid after again age ago agree air all allow alone along already also always among amount
        anger animal answer any apple area arm army arrive art ask autumn away baby back bad bag ball bank base basket bath battle beach bear
        beautiful because become bed bee before begin behind believe bell below beside best better between big bird bite bitter black blood
        blow blue board boat body bone book border born both bottle bottom bowl box boy branch brave bread break breath bridge bright bring
        broad broken brother brown brush build burn bus bush busy butter button buy cake call calm camp candle cap captain car card care
        carry cart castle cat catch cause center chain chair chance change cheap cheese chest chicken child choose church circle city class
        clean clear clever climb clock close cloth cloud coal coast coat coffee cold collect color come common company copper copy corn corner
        cotton cough count country course cousin cover cow cross crowd cry cup curtain cut dance danger dark daughter day dead dear decide deep
        deer depend desk dinner direction dirty distance doctor dog door double down draw dream dress drink drive drop dry duck dust duty each
        ear early earth east easy eat edge egg eight either empty end enemy engine enjoy enough enter equal evening ever every exact example
        except eye face fact fair faith fall family famous far farm fast father fear feather feed feel fellow fence few field fifty fight fill
        find finger finish fire first fish five flag flat flight floor flower fly fold follow food foot forest forget forgive form forward four
        fox free freeze fresh friend front fruit full funny garden gate gather general gentle gift girl give glad glass gold good grain grass
        gray great green ground group grow guard guess guest guide hair half hall hammer hand hang happen happy harbor hard hat hate have hay
        head health hear heart heat heavy help hill history hold hole holiday home honest honey hope horn horse hospital hot hour house hundred
        hungry hunt hurry husband ice idea ill important inside invite iron island job join journey joy judge juice jump keep key kick kind king
        kitchen knee knife knock know ladder lady lake lamp land language large last late laugh law lazy lead leaf learn leather leave left leg
        lemon length lesson letter level library lift light like line lion lip list listen little live long look lose loud love low luck machine
        mail make man many map mark market master match matter meadow meal mean measure meat medicine meet member memory metal middle mile milk
        mill mind minute mirror miss mistake mix modern moment money month moon more morning most mother mountain mouse mouth move much music
        nail name narrow nation nature near neck need needle neighbor nest net never new news next night nine noise north nose note nothing
        number nurse oak ocean offer office often oil old once onion only open opposite orange order other out oven over own page pain paint
        pair paper parent park part party pass past path pay peace pear pen people pepper perfect perhaps person picture piece pig pilot pink
        place plain plan plant plate play please plenty pocket poem point poor port possible post potato pot pound power praise present press
        pretty price prince print prison prize promise proud public pull pump pure push queen question quick quiet rabbit race radio rain raise
        reach read ready real reason red remember repair repeat reply report rest rice rich ride right ring rise river road rock roof room root
        rope rose rough round row rule run sad safe sail salt same sand save school science sea season seat second secret see seed sell send
        sense serious seven shade shadow shake shape share sharp sheep shelf shine ship shirt shoe shop shore short shoulder shout show shut
        sick side sign silence silk silver simple sing sister sit six size skill skin sky sleep slow small smell smile smoke smooth snake snow
        soap soft soil soldier some son song soon sound soup south space speak speed spend spoon spring square stable stand star start station
        stay steal steam steel step stick still stone stop store storm story strange stream street strong student study sugar summer sun supper
        sure surprise sweet swim table tail take talk tall taste teach team tear tell ten tent test thank thick thin thing think third thirty
        thread three throw thunder ticket tie tiger time tired today together tomorrow tongue tooth top touch toward tower town toy track trade
        train travel tree trip trouble true trust try turn twelve twenty twice two uncle under until upper use valley village visit voice wait
        walk wall want war warm wash watch water wave way weak wear weather week weight welcome well west wet wheat wheel when where which white
        whole wide wife wild win wind window wine wing winter wire wise wish wolf woman wonder wood wool word work world worry write wrong
        yard year yellow yesterday young zero
        """;

    /// <summary>The words.</summary>
    public static IReadOnlyList<string> All { get; } = Text.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
