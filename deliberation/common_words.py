"""Everyday words, so that masking names does not mask them: "will" is rarely the member called Will. Data only; read by `names`.

Lower case, without accents. Words that are also given names in English are here on purpose (`names` says when they are masked all the same).
"""

from __future__ import annotations

_EVERYDAY = """
a able about above abuse accept access according account accountability accountable across act action active actual
actually add address admit adult advice adviser advisers affect afraid africa african after again against age agency
ago agree ahead aim air algorithm algorithms all allow almost alone along already also although always am amber
america american americans among amount an and angel angry animal another answer any anybody anymore anyone anything
anyway apart appeal appeals appear apply april arab arabic area arent argue argument arm around arrive art article as
asia asian ask asked asking at attack attention audit audits august aunt author authorities authority automated
automation autumn available average avoid away baby back bad bag balance bank bar base based basic basically be bear
beat beautiful became because become bed been before began begin behind being believe below benefit benefits best bet
better between beyond bias bicycle bicycles big bigger bill bin bins bit black blame block blue board boat body bond
book border born both bother bottom bought box boy branch bread break brexit bridge brief bright bring britain british
broad broke brother brought brown brush budget build building built burden bus buses business busy but butter buy by
call called calling came camp can cannot cant capital car carbon card care careful carry case cases cash cast castle
cat catch catholic cause center central centre certain certainly chair chance change changed charge charity charm chat
cheap check child children china chinese choice choose church cinema circle citizen citizens city civil claim class
clay clean clear clearly clerk clerks cliff climate close closed clothes cloud coal coast code coffee cold colleague
collect college colour come comes comfort coming common community companies company compare complain complete concern
concerned concert condition congress consent consider control cook cool corner correct cost costs could couldnt
council count country county couple course court cover covid cream create crime crisis crystal culture cup current
currently customer cut cycle daily daisy damage danger danish dark data date daughter dawn day days dead deal dean
dear death debate debt decade december decide decided decision decisions deep degree demand democracy denmark
department depend depends design desk despite detail develop did didnt die difference different difficult digital
direct direction discuss discussion do doctor does doesnt dog doing dollar don done dont door double doubt down dr
draw dream dress drew drink drive driver driving drop drug dry due during dutch duty each earl earlier early earn
earth ease easier east easy eat economy edge education effect effort eight either election else email emergency employ
empty end energy engine england english enjoy enough entire entirely environment equal error errors especially estate
europe european even evening event eventually ever every everybody everyone everything everywhere evidence exactly
exam example except exist exit expect expensive experience expert explain extra eye face facebook fact factor fail
fair fairly faith fall false families family far farm fast father favour fear february feed feel feeling feels feet
fell fellow felt few field fifth fight figure file fill final finally finance find finding fine finger finish fire
firm first fish five fix flag flat flower fly focus folk follow food foot for force forest forever forget forgot form
former forward found four france frank free freedom french fresh friday friend friends from front fuel full fully fun
fund funding further future gain game garden gas gave gay gene general generally generation gentle german germans
germany get gets getting ginger girl give given gives giving glad glass global go goal goes going gold gone good goods
google got government grace gram grand grant grass great greece greek green grew grey groom ground group groups grow
growing growth guess guide guy had hair half hall hand handle hands happen happened happening happens happy harbour
hard hardly harm harmful has hasnt hat hate have havent having hazel he head health healthy hear heard hearing heart
heat heather heavy held hell hello help helped helps her here hers herself hi high higher highly hill him himself hire
his history hit hold hole holiday holly home honest honestly hope hoped hopefully hopes horse hospital host hot hour
hours house households houses housing how however huge human hundred hung hunter hurt husband i ice id idea ideas
identify if ill illegal im imagine impact important impossible improve in include including income increase indeed
independent india indian individual industry inform information inside instead institution insurance interest
interested interesting internet into invest involve ireland iris irish is islam island isnt issue issues it italian
italy items its itself ive ivy january jasmine jet jewish job jobs join joined joint joke journey joy judge july june
jury just justice keep keeps kept key kid kids kill kind king kitchen knew knock know knowing known knows labour lack
lady laid lake lakes lance land lane language large last late later laugh launch laurel law laws lay lead leader
leaders leads leaf lean learn learning least leave leaves led left leg legal less let lets letter level levels liberty
library lie life lift light like liked likely likes lily limit line lines link list listen listening little live lived
lives living load loan local lock london lone long longer look looked looking looks lose loss lost lot lots loud love
loved lovely low lower luck lucky luna lunch machine made main mainly major majority make makes making man manage
manager many map march margin mark marked market marks marriage marry mass mat match material matter matters max may
maybe mayor me meal mean meaning means meant measure meat media medical meet meeting member members memory men mental
mention merit mess message met method middle might mile miles milk mind mine minimum minister minor minute minutes
miss missing mission mistake mix model modern moment monday money month months mood moon moral more morning most
mostly mother mountain mouth move moved movement moving mr mrs ms much mum museum museums music muslim must my myself
nail name named names nation national natural nature near nearly necessary need needed needs neighbour neighbours
neither net never new news next nice night nine no nobody noise none nor normal normally north norway norwegian not
note nothing notice november now nowhere number numbers nurse object obvious obviously october odd of off offer office
officer offices official officials often oh oil ok okay old older olive on once one ones online only onto open opening
operate opinion opinions opportunity opposite option options or oral orange order ordinary organise other others
otherwise ought our ours ourselves out outcome outside over oversight own owner pace page paid pain paint pair palm
panel paper parent parents park parking parliament part parties partly partner parts party pass past pat patch path
patient pattern pause pavement pay paying peace pearl penny pension people peoples per percent perfect perhaps period
permit person personal personally pet phase phone photo phrase physical pick picture piece pierce place places plan
planet planning plans plant plastic play please plenty plus point points police policy polish political politician
politicians politics poll pool pools poor pop popular population position positive possible possibly post potential
pound power practical practice pray prefer present president press pressure pretty prevent price prices pride primary
prince principle privacy private probably problem problems process produce product profit programme project promise
proper properly property propose protect prove provide public pull pupil purpose push put quality queen question
questions quick quickly quiet quite race rail rain raise ran random range rate rather ray reach reached read reading
ready real realise reality really reason reasonable reasons receive recent recently record red reduce reed reform
refuse regard region regular regulation regulations regulator regulators relate related relation relatively relevant
rely remain remember remove rent repair repeat replace reply report represent request require research resource
resources respect respond response responsible rest result results return rich richer rid ride right rights ring rise
rising risk risks river road roads rob robin robot robots rock role room rose rosemary rough round route row royal
ruby rule rules run running rural rush russia russian sad safe safety said sale salt same sand sandy sat saturday save
saved saw say saying says scale scared scene school schools science score scotland scottish sea seat second secret
section security see seeing seek seem seems seen self sell senate send sense sent separate september series serious
seriously serve service services session set sets seven several severe sex shall shame shape share sharing sharp she
shed sheet shift ship shirt shop shops short shot should shouldnt show shown shows shut sick side sign silence silver
similar simple simply since sing single sir sister sit site sitting situation six size ski skill skin sky sleep slow
slowly small smart smile smoke snow so social society soft soil sold soldier solution solve some somebody somehow
someone something sometimes somewhat somewhere son song soon sorry sort sound sounds south space spain spanish spare
speak speaker speaking special specific speech speed spend spending spent spoke spoken sport spot spread spring staff
stage stand standard standing stands star start started starting state statement statements states station stay stayed
step steps stick still stock stone stood stop stopped store storm story straight strange street stress strict strike
strong structure struggle student students study stuff style subject such sudden suddenly sue suffer suggest
suggestion suit sum summary summer sun sunday sunny support supported supposed sure surely surface surprise survey
sweden swedish system systems table take taken takes taking talk talked talking task tax taxes tea teach teacher
teachers team tear tech technology tell telling tend term terms terrible test than thank thanks that thats the theatre
their theirs them theme themes themselves then theory there thered therefore theres these they theyre theyve thing
things think thinking thinks third this those though thought thoughts thousand threat three through throw thursday
thus ticket time timer times tiny tip tired title to today together told tomorrow tone tonight too took tool tools top
topic total totally touch tough tour toward towards town track trade traffic train training tram trams transparency
transparent transport travel treat treated tree trees trial trick tried trouble true truly trust truth try trying
tuesday tumor tunnel turkey turkish turn turned turns twice two type ukraine ukrainian under understand understood
unemployed union unit united university unless until up upon us use used useful user uses using usual usually valley
value values various vast version very via victim video view views village violence violet visit vital voice volunteer
vote voted voter voters votes voting wage wait waiting wake wales walk walking wall want wanted wanting wants war warm
warn was wasnt waste watch watching water wave way ways we weak wealth wear weather web wednesday week weekend weeks
weight welcome well welsh went were west weve what whatever whats wheel when whenever where whereas wherever whether
which while white who whoever whole whom whos whose why wide wife wild will willing win wind window winter wish with
within without woke woman women won wonder wont wood wooden word words wore work worked worker workers working works
world worried worry worse worst worth would wouldnt wow write writing written wrong wrote yeah year years yellow yes
yesterday yet you young younger your youre yours yourself youth youve zero zone
"""

# After these, a capitalised "Will" or "May" at the start of a sentence is the verb, "Mark" and "Grace" the noun.
_AFTER_A_VERB = """
a all an any anybody anyone as be everybody everyone he her his how i in is it me my no nobody not of on one or our
people she so some somebody someone that the their them there these they this those to us we what which you your
"""

COMMON_WORDS: frozenset[str] = frozenset(_EVERYDAY.split())
FOLLOWS_A_VERB: frozenset[str] = frozenset(_AFTER_A_VERB.split())
